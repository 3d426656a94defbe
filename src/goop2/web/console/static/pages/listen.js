// Listening: the session this peer hosts, with its controls, or the one it hears elsewhere; files to play, and who listens.
import { freshId } from "../shell/dom.js";
import { shortId } from "../shell/format.js";
import { many, mix, t } from "../shell/text.js";

const TICK_MS = 250;
const SHOWN = 100; // files at a time; typing finds the rest
const BACK_SECONDS = 10;

const clock = (seconds) => {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)];
  return `${hours ? `${hours}:${String(minutes).padStart(2, "0")}` : minutes}:${String(rest).padStart(2, "0")}`;
};

export async function show(main, shell) {
  const { el } = shell;
  const { files } = await shell.get("listen/files");
  let now = await shell.get("listen");
  let heardAt = performance.now();
  let moving = 0; // while the owner holds the slider, or what it was moved to is on its way, it is not moved

  const ids = { name: freshId("name"), place: freshId("place"), find: freshId("find") };
  const card = el("section", { class: "card listening" });
  const who = el("section", { class: "card" });
  const state = el("p", { class: "small level-error wrap", role: "status" });
  const find = el("input", { id: ids.find, type: "search", autocomplete: "off", spellcheck: "false", oninput: paintFiles });
  const found = el("ul", { class: "list files" });
  const choose = el("section", { class: "card" }, el("h2", {}, t("Files")),
    el("label", { class: "field", for: ids.find }, t("Find, or a path in the peer's folder or in one of listen.media_dirs"), find), found);
  const place = el("input", { id: ids.place, type: "range", min: 0, step: 1, "aria-label": t("Position"), oninput: () => { moving = hold(); }, onchange: seek });
  const time = el("span", { class: "mono small" });
  main.replaceChildren(el("h1", {}, t("Listening")), card, state, el("div", { class: "columns" }, choose, who));

  const asking = shell.renewals();
  const acting = shell.choices();

  async function act(action, options = {}) {
    const isLatest = acting();
    const isNews = asking();
    state.textContent = "";
    try {
      const next = await shell.post("listen/control", { action, ...options });
      if (isNews()) take(next);
      else await renew();
      return true;
    } catch (error) {
      if (isLatest()) state.textContent = error.message;
      else shell.toast(error.message, "bad");
      return false;
    }
  }

  async function renew() {
    const isNews = asking();
    const next = await shell.get("listen").catch(() => null);
    if (next && isNews()) take(next);
  }

  function take(next) {
    now = next;
    heardAt = performance.now();
    paint();
  }

  function position() {
    const play = now.session.play_state;
    const passed = play.playing ? (performance.now() - heardAt) / 1000 : 0;
    return Math.min(now.session.track.duration || Infinity, play.position + passed);
  }

  let holds = 0;
  const hold = () => ++holds;
  async function seek() {
    const mine = (moving = hold());
    await act("seek", { seconds: Math.min(Number(place.value), now.session.track.duration) });
    if (moving === mine) moving = 0;
    tick();
  }

  const loading = shell.choices();
  async function load(path) {
    const isChosen = loading();
    if (!now.session && !(await act("create", { name: t("Listening together") }))) return;
    if (isChosen() && (await act("load", { path })) && isChosen()) await act("play");
  }

  function paint() {
    const session = now.session;
    const hosts = !session || session.role === "host";
    choose.hidden = !hosts;
    const focused = card.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    if (session) card.replaceChildren(...(hosts ? hosting(session) : hearing(session)));
    else if (!opening) card.replaceChildren(...makeOpening());
    opening = !session; // once it is there, a name that is typed stays
    if (focused) card.querySelector(`[data-act="${focused}"]`)?.focus();
    paintWho(session);
    tick();
  }

  let opening = false;
  function makeOpening() {
    const name = el("input", { id: ids.name, value: t("Listening together"), maxlength: 100, required: true });
    return [el("h2", {}, t("No session is open")), el("p", { class: "small soft" }, t("You play an audio file, and all listeners hear it at the same time: pages of your site, and other peers.")),
      el("form", { class: "row", onsubmit: (event) => { event.preventDefault(); act("create", { name: name.value }); } },
        el("label", { class: "field grow", for: ids.name }, t("Name"), name), el("button", { type: "submit", class: "main" }, t("Open a session")))];
  }

  function button(action, text, does, props = {}) {
    return el("button", { type: "button", dataset: { act: action }, onclick: does, ...props }, text);
  }

  function hosting(session) {
    const track = session.track;
    const end = button("close", t("End the session"), async () => { if (await shell.confirm(t`End ${session.name} for everybody?`, t("End it"))) act("close"); }, { class: "danger" });
    if (!track) return [el("h2", { class: "wrap" }, session.name), el("p", { class: "soft" }, t("Nothing is loaded: choose a file.")), el("p", { class: "row" }, end)];
    place.max = Math.ceil(track.duration);
    const playing = session.play_state.playing;
    return [...about(session), el("div", { class: "row place" }, place, time),
      el("p", { class: "row" },
        button("play", playing ? t("Pause") : t("Play"), () => act(playing ? "pause" : "play"), { class: "main" }),
        button("back", t`Back ${BACK_SECONDS} s`, () => act("seek", { seconds: Math.max(0, position() - BACK_SECONDS) })), end)];
  }

  function hearing(session) {
    return [...(session.track ? about(session) : [el("h2", { class: "wrap" }, session.name)]),
      el("p", { class: "row" }, el("progress", { max: 1, "aria-label": t("Position") }), time),
      el("p", { class: "soft wrap" }, mix("You listen to another peer, {0}; its host plays.", el("code", { class: "small", title: session.host }, shortId(session.host)))),
      el("p", { class: "row" }, button("close", t("Leave"), () => act("close")))];
  }

  function about(session) {
    const { track } = session;
    const kind = [track.format.toUpperCase(), `${Math.round(track.bitrate / 1000)} kbit/s`].join(", ");
    return [el("p", { class: "row apart" }, el("span", { class: "soft wrap" }, session.name),
      el("span", { class: `badge ${session.play_state.playing ? "good" : ""}` }, session.play_state.playing ? t("playing") : t("paused"))),
      el("h2", { class: "wrap" }, track.name), el("p", { class: "small soft" }, kind)];
  }

  function paintWho(session) {
    const listeners = new Map();
    for (const each of now.who) listeners.set(each.id, { ...each, pages: (listeners.get(each.id)?.pages || 0) + 1 });
    who.hidden = !session || session.role !== "host";
    who.replaceChildren(el("h2", {}, t("Who listens")), listeners.size
      ? el("ul", { class: "list" }, [...listeners.values()].map((each) => el("li", { class: "row apart" },
        el("span", { class: "wrap" }, each.label && el("strong", {}, each.label, " "), el("code", { class: "small soft", title: each.id }, shortId(each.id))),
        each.pages > 1 && el("span", { class: "small soft" }, many(each.pages, "{0} page", "{0} pages")))))
      : el("p", { class: "soft" }, t("Nobody yet.")));
  }

  function paintFiles() {
    const wanted = find.value.trim().toLowerCase();
    const fitting = files.filter((file) => file.toLowerCase().includes(wanted));
    const rows = fitting.slice(0, SHOWN).map((file) => el("li", { class: "row apart" }, el("span", { class: "wrap" }, file),
      el("button", { type: "button", onclick: () => load(file), "aria-label": t`Play ${file}` }, t("Play"))));
    if (wanted && !fitting.length) rows.push(el("li", { class: "row apart" }, el("span", { class: "soft wrap" }, t("No file matches.")), el("button", { type: "button", onclick: () => load(find.value.trim()) }, t("Play this path"))));
    if (!files.length) rows.push(el("li", { class: "soft" }, t("No audio files: put MP3, Ogg, FLAC or WAV files into the peer's folder, or name their folder in listen.media_dirs.")));
    if (fitting.length > SHOWN) rows.push(el("li", { class: "small soft" }, t`${fitting.length - SHOWN} more: type to find them`));
    found.replaceChildren(...rows);
  }

  function tick() {
    if (!now.session || !now.session.track) return;
    const length = now.session.track.duration;
    const at = moving ? Number(place.value) : position();
    if (!moving) place.value = at;
    place.setAttribute("aria-valuetext", clock(at));
    time.textContent = length ? t`${clock(at)} of ${clock(length)}` : clock(at);
    const bar = card.querySelector("progress");
    if (bar && length) bar.value = at / length;
  }

  paint();
  paintFiles();
  for (const kind of ["listen", "gap"]) shell.on(kind, renew);
  shell.every(TICK_MS, tick);
}
