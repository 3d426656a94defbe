// Rooms: chat rooms that this peer hosts or is in. Names, descriptions and messages are other people's text, and are shown as text.
import { freshId } from "../shell/dom.js";
import { clock, shortId } from "../shell/format.js";
import { mix, t } from "../shell/text.js";

const REFRESH_MS = 5000; // there is no event when a peer changes its label
const CALM_MS = 100; // several things happen at once
const NEAR_PIXELS = 80;
const NAME_MAX = 200;
const TEXT_MAX = 8000;
const written = new Map(); // room → what stands in its box, kept while another one or another page is shown

export async function show(main, shell) {
  const { el } = shell;
  let now = await shell.get("rooms");
  let place = shell.query.get("room") || "";
  const asking = shell.renewals();
  const choosing = shell.choices();

  const placeOf = (one) => `${one.host} ${one.room}`;
  const text = (words) => el("bdi", {}, words);
  const list = el("nav", { class: "script-list", "aria-label": t("Rooms") });
  const title = el("h2", { tabindex: "-1" });
  const about = el("div", { class: "small soft wrap" }); // no paragraph: those of a conversation lie over its messages
  const end = el("button", { type: "button", class: "danger", onclick: leave });
  const said = el("div", { class: "talk", role: "log", tabindex: "0", "aria-label": t("Messages") });
  const ids = { text: freshId("text"), name: freshId("name"), description: freshId("description"), host: freshId("host"), room: freshId("room") };
  const box = el("textarea", { id: ids.text, rows: 2, maxlength: TEXT_MAX, autocomplete: "off", onkeydown: key, oninput: () => written.set(place, box.value) });
  const form = el("form", { class: "saying", onsubmit: send }, el("label", { class: "field grow", for: ids.text }, t("Message"), box), el("button", { type: "submit", class: "main" }, t("Send")));
  const state = el("p", { class: "small level-error wrap", role: "status" });
  const refused = el("p", { class: "small level-error wrap", role: "status" });
  const talk = el("section", { class: "card talk-card" }, el("div", { class: "row apart" }, title, end), about, said, form, state);
  const nothing = el("section", { class: "card" }, el("p", { class: "soft" }, mix("This peer is in no room. Open one, or join another peer’s. Members of a room are peers; the host invites them on the page {0}.", el("a", { href: "#/groups" }, t("Groups")))));
  main.replaceChildren(el("h1", {}, t("Rooms")), el("div", { class: "scripts" }, el("section", { class: "card" }, list, makeForm(), joinForm(), refused), el("div", {}, talk, nothing)));

  const room = () => now.rooms.find((one) => placeOf(one) === place);
  const nameOf = (one) => one.name || one.room;
  const hostOf = (one) => (one.host === now.id ? t("this peer") : one.label || shortId(one.host));

  function makeForm() {
    const name = el("input", { id: ids.name, maxlength: NAME_MAX, required: true, autocomplete: "off" });
    const description = el("input", { id: ids.description, maxlength: 500, autocomplete: "off" });
    return el("details", {}, el("summary", {}, t("Open a room")), el("form", { onsubmit: (event) => submitted(event, { action: "create", name: name.value, description: description.value }, [name, description]) },
      el("label", { class: "field", for: ids.name }, t("Name"), name), el("label", { class: "field", for: ids.description }, t("Description"), description), el("button", { type: "submit", class: "main" }, t("Open it"))));
  }

  function joinForm() {
    const host = el("input", { id: ids.host, required: true, autocomplete: "off", spellcheck: "false", placeholder: "12D3Koo…" });
    const id = el("input", { id: ids.room, required: true, autocomplete: "off", spellcheck: "false" });
    return el("details", {}, el("summary", {}, t("Join by its id")), el("form", { onsubmit: (event) => submitted(event, { action: "join", host: host.value.trim(), room: id.value.trim() }, [host, id]) },
      el("label", { class: "field", for: ids.host }, t("Peer that hosts it"), host), el("label", { class: "field", for: ids.room }, t("Id of the room"), id), el("button", { type: "submit" }, t("Join"))));
  }

  async function submitted(event, action, fields) {
    event.preventDefault();
    const before = new Set(now.rooms.map(placeOf));
    if (!(await act(action, refused))) return;
    for (const field of fields) field.value = "";
    const made = now.rooms.find((one) => !before.has(placeOf(one)));
    if (made) await choose(placeOf(made));
  }

  /** Does it; says in `where` what was refused. Promise of whether it was done. */
  async function act(action, where) {
    where.textContent = "";
    const isNews = asking();
    try {
      const next = await shell.post("rooms/do", action);
      if (isNews()) now = next;
      else await renew();
      paint();
      return true;
    } catch (error) {
      where.textContent = error.message;
      return false;
    }
  }

  function paint() {
    if (!room()) place = now.rooms.length ? placeOf(now.rooms[0]) : "";
    const one = room();
    const held = list.contains(document.activeElement) ? document.activeElement.dataset.place : null;
    list.replaceChildren(el("ul", {}, now.rooms.map((each) => el("li", {}, el("a", {
      href: `#/rooms?room=${encodeURIComponent(placeOf(each))}`, dataset: { place: placeOf(each) }, "aria-current": placeOf(each) === place ? "true" : null,
      onclick: (event) => { event.preventDefault(); choose(placeOf(each)); } }, text(nameOf(each)), el("span", { class: "small soft" }, mix("of {0}", text(hostOf(each)))))))));
    if (held) [...list.querySelectorAll("[data-place]")].find((each) => each.dataset.place === held)?.focus();
    talk.hidden = !one;
    nothing.hidden = Boolean(one);
    if (!one) return;
    title.replaceChildren(text(nameOf(one)));
    end.textContent = one.host === now.id ? t("Close") : t("Leave");
    const who = one.members.map((each) => (each.id === now.id ? t("this peer") : each.name || shortId(each.id)));
    about.replaceChildren(one.description && text(one.description), one.description && ". ", ...mix("Here: {0}. Id {1}", el("span", {}, who.flatMap((each, index) => [index ? ", " : "", text(each)])), el("code", {}, one.room)));
  }

  function line(message) {
    const mine = message.from === now.id;
    return el("div", { class: mine ? "mine" : "theirs" },
      el("div", { class: "bubble wrap", dir: "auto" }, message.text),
      el("p", { class: "small soft" }, !mine && [text(message.from_name || shortId(message.from)), " ", el("code", { title: message.from }, shortId(message.from)), " "], clock(message.timestamp / 1000)));
  }

  async function choose(next) {
    const isChosen = choosing();
    place = next;
    shell.note({ room: place });
    state.textContent = "";
    said.replaceChildren();
    box.value = written.get(place) || "";
    paint();
    const one = room();
    if (!one) return;
    try {
      const messages = await shell.read("rooms/messages", { room: one.room, host: one.host });
      if (!isChosen()) return;
      said.replaceChildren(...messages.map(line));
      said.scrollTop = said.scrollHeight;
    } catch (error) {
      if (isChosen()) state.textContent = error.message;
    }
  }

  async function send(event) {
    event.preventDefault();
    const [one, content] = [room(), box.value];
    if (!one || !content.trim()) return;
    const to = place;
    box.value = "";
    written.delete(to);
    if (await act({ action: "send", room: one.room, host: one.host, text: content }, state)) return;
    if (!written.get(to)) written.set(to, content);
    if (place === to && !box.value) box.value = content;
  }

  function key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  }

  async function leave() {
    const one = room();
    const closes = one.host === now.id;
    if (!(await shell.confirm(closes ? mix("Close {0}? What was said there is gone.", text(nameOf(one))) : mix("Leave {0}?", text(nameOf(one))), closes ? t("Close it") : t("Leave")))) return;
    if (await act({ action: closes ? "close" : "leave", room: one.room, host: one.host }, state)) await choose(place);
  }

  async function renew() {
    const isNews = asking();
    const next = await shell.get("rooms").catch(() => null);
    if (!next || !isNews()) return;
    const before = place;
    now = next;
    paint();
    if (place !== before) await choose(place);
  }
  const soon = shell.delayed(CALM_MS, renew);

  function happened(event) {
    if (`${event.host} ${event.room}` === place && event.message) {
      const atEnd = said.scrollHeight - said.scrollTop - said.clientHeight < NEAR_PIXELS;
      said.append(line(event.message));
      if (atEnd || event.message.from === now.id) said.scrollTop = said.scrollHeight; // who reads further up stays there
    } else if (`${event.host} ${event.room}` === place && event.what === "history") choose(place);
    soon();
  }

  shell.on("room", happened);
  shell.on("group", soon);
  shell.on("gap", () => choose(place));
  shell.every(REFRESH_MS, renew);
  paint();
  await choose(place);
}
