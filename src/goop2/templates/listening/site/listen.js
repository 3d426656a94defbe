// The page that hears with everybody, and for the host the controls. Goop.listen keeps the player in step.
const byId = (id) => document.getElementById(id);
const audio = byId("audio");
let session = null;
let hearing = false;

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function show(next) {
  session = next;
  const track = next && next.track;
  byId("track").textContent = track ? track.name : next ? "No track yet" : "Nothing plays";
  byId("session").textContent = next ? `${next.name}, ${next.listeners} listening` : "The host has not begun.";
  byId("hear").disabled = !track;
  document.querySelector(".player").classList.toggle("playing", Boolean(track && next.play_state.playing));
  tick();
}

function tick() {
  const track = session && session.track;
  const at = track ? Goop.listen.position() : 0;
  byId("progress").value = track ? at / track.duration : 0;
  byId("time").textContent = track ? `${clock(at)} of ${clock(track.duration)}` : "0:00";
}

byId("hear").addEventListener("click", () => {
  hearing = !hearing;
  if (hearing) Goop.listen.join(audio);
  else Goop.listen.leave(audio);
  byId("hear").textContent = hearing ? "Stop listening" : "Listen";
});

async function control(action, options) {
  byId("said").textContent = "";
  try {
    show(await Goop.listen.control(action, options));
  } catch (error) {
    byId("said").textContent = error.message;
  }
}

byId("host").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!session) await control("create", { name: "Listening together" });
  await control("load", { path: byId("file").value.trim() });
  if (!byId("said").textContent) await control("play");
});
byId("host").addEventListener("click", (event) => {
  const action = event.target.dataset.action;
  if (action === "back") control("seek", { seconds: Math.max(0, Goop.listen.position() - 10) });
  else if (action) control(action);
});

Goop.listen.subscribe(show);
setInterval(tick, 250);
// The controls are refused to anybody else; this only keeps them out of sight.
const response = await fetch("/api/listen/control", { method: "POST", body: '{"action":""}' });
byId("host").hidden = response.status === 403;
