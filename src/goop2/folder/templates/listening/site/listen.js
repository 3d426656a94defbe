// The page that hears with everybody, and for the host the controls. Goop.listen keeps the player in step.
import { showLevel } from "./level.js";
import { isElsewhere, sdk } from "./sdk.js";

const byId = (id) => document.getElementById(id);
const audio = byId("audio");
const HOW = {
  blocked: "Your browser wants a click before sound: click anywhere.",
  loading: "One moment…",
  offline: "The host cannot be reached just now.",
  paused: "The host has paused.",
};
let session = null;
let moving = 0; // while the host holds the slider, or what it was moved to is on its way, it is not moved
let holds = 0;
let asked = 0; // counts what the host has pressed: a refusal that comes late does not stand beside something later

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function show(next) {
  session = next;
  const track = next && next.track;
  const playing = Boolean(track && next.play_state.playing);
  byId("track").textContent = track ? track.name : next ? "No track yet" : "Nothing plays";
  byId("session").textContent = next ? `${next.name}, ${next.listeners} listening` : "The host has not begun.";
  byId("hear").disabled = !track;
  document.querySelector(".player").classList.toggle("playing", playing);
  byId("cover").hidden = !(next && next.cover);
  if (next && next.cover) byId("cover").src = `/api/listen/cover?session=${next.id}&track=${encodeURIComponent(track.name)}`;
  byId("toggle").textContent = playing ? "Pause" : "Play";
  byId("toggle").disabled = byId("host").querySelector("[data-action=back]").disabled = !track;
  byId("host").querySelector("[data-action=close]").disabled = !next;
  byId("seeking").hidden = !track;
  if (track) byId("place").max = Math.ceil(track.duration);
  tick();
}

function tick() {
  const track = session && session.track;
  const at = track ? Goop.listen.position() : 0;
  byId("progress").value = track && track.duration ? at / track.duration : 0;
  byId("time").textContent = track ? `${clock(at)} of ${clock(track.duration)}` : "0:00";
  if (!moving) byId("place").value = at;
  byId("place").setAttribute("aria-valuetext", clock(Number(byId("place").value)));
}

audio.addEventListener("goop-listen", (event) => {
  byId("how").textContent = HOW[event.detail] || "";
});
byId("hear").addEventListener("click", () => {
  const hearing = Goop.listen.hearing(audio) === "left";
  byId("hear").textContent = hearing ? "Stop listening" : "Listen";
  byId("how").textContent = "";
  const mine = ++joins;
  if (!hearing) return Goop.listen.leave(audio);
  Goop.listen.join(audio).catch((error) => mine === joins && (byId("how").textContent = error.message));
});
let joins = 0;

async function control(action, options) {
  const mine = ++asked;
  byId("said").textContent = "";
  try {
    await Goop.listen.control(action, options);
    await Goop.listen.state();
    return true;
  } catch (error) {
    if (mine === asked) byId("said").textContent = error.message;
    return false;
  }
}

byId("host").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!session && !(await control("create", { name: "Listening together" }))) return;
  if (await control("load", { path: byId("file").value.trim() })) await control("play");
});
byId("toggle").addEventListener("click", () => control(session.play_state.playing ? "pause" : "play"));
byId("host").addEventListener("click", (event) => {
  const action = event.target.dataset.action;
  if (action === "back") control("seek", { seconds: Math.max(0, Goop.listen.position() - 10) });
  else if (action) control(action);
});
byId("place").addEventListener("input", () => (moving = ++holds));
byId("place").addEventListener("change", async () => {
  const mine = (moving = ++holds);
  await control("seek", { seconds: Math.min(Number(byId("place").value), session.track.duration) });
  if (moving === mine) moving = 0;
});

await sdk("listen");

async function begin() {
  showLevel(audio, [...document.querySelectorAll(".level i")]);
  Goop.listen.subscribe(show);
  setInterval(tick, 250);
  // Whoever is not the host has no files to choose from. The controls are refused to anybody else; this only keeps them out of sight.
  const [files] = await Promise.all([Goop.listen.files().catch(() => null), Goop.listen.state().then(show, () => show(null))]);
  byId("host").hidden = files === null;
  byId("files").replaceChildren(...(files || []).map((file) => new Option(file)));
}

if (isElsewhere) {
  byId("how").textContent = "This program plays sessions on a page of its own, and not here: join this peer’s session there.";
  byId("hear").hidden = byId("time").hidden = true;
} else await begin();
byId("all").hidden = false;
