// Chat: direct messages with this peer's scripts and with other peers. What others say is text, never more.
import { freshId } from "../shell/dom.js";
import { shortId } from "../shell/format.js";

const NEAR_PIXELS = 80;
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });

export async function show(main, shell) {
  const { el } = shell;
  let overview = await shell.get("chat");
  let peer = shell.query.get("peer") || overview.id;
  let oldest = null;
  let gone = false;

  const people = el("nav", { class: "script-list", "aria-label": "Conversations" });
  const title = el("h2", {});
  const older = el("button", { type: "button", onclick: () => load(oldest), hidden: true }, "Earlier messages");
  const remove = el("button", { type: "button", class: "quiet", onclick: forget, hidden: true }, "Delete conversation");
  const removeStrangers = el("button", { type: "button", class: "quiet", onclick: forgetStrangers, hidden: true }, "Delete conversations I never wrote in");
  const said = el("div", { class: "talk", role: "log", tabindex: "0", "aria-label": "Messages" });
  const nothing = el("p", { class: "soft", hidden: true });
  const ids = { text: freshId("text"), commands: freshId("commands") };
  const choices = el("ul", { id: ids.commands, class: "commands", role: "listbox", "aria-label": "Commands", tabindex: "0", hidden: true, onkeydown: key });
  const text = el("textarea", { id: ids.text, rows: 1, autocomplete: "off", spellcheck: "false", "aria-controls": ids.commands, onkeydown: key, oninput: suggest });
  const state = el("p", { class: "small level-error wrap", role: "status" });
  main.replaceChildren(el("h1", {}, "Chat"), el("div", { class: "scripts" },
    el("section", { class: "card" }, people, el("p", { class: "small" }, el("a", { href: "#/network" }, "Somebody else: who is here")), removeStrangers),
    el("section", { class: "card talk-card" }, el("div", { class: "row apart" }, title, remove), older, nothing, said,
      el("form", { class: "saying", onsubmit: send }, choices,
        el("label", { class: "field grow", for: ids.text }, "Message; ! begins a command", text), el("button", { type: "submit", class: "main" }, "Send")), state)));

  const nameOf = (one) => (one.peer === overview.id ? "This peer" : one.label || shortId(one.peer));
  const known = () => {
    const all = new Map(overview.conversations.map((one) => [one.peer, one]));
    for (const id of [overview.id, peer]) if (!all.has(id)) all.set(id, { peer: id, label: "", here: id === overview.id, messages: 0, last: null });
    return [...all.values()];
  };

  function paintPeople() {
    people.replaceChildren(el("ul", {}, known().map((one) => el("li", {}, el("a", {
      href: `#/chat?peer=${one.peer}`, "aria-current": one.peer === peer ? "true" : null, title: one.peer,
      onclick: (event) => { event.preventDefault(); choose(one.peer); } },
      el("span", {}, nameOf(one)), one.peer !== overview.id && one.label && el("code", { class: "small soft" }, shortId(one.peer)), one.here && one.peer !== overview.id && el("span", { class: "badge good" }, "here"),
      one.last && el("span", { class: "small soft cut last" }, one.last.content))))));
    const one = known().find((each) => each.peer === peer);
    remove.hidden = !one.messages;
    removeStrangers.hidden = overview.conversations.every((each) => each.peer === overview.id);
    title.replaceChildren(nameOf(one), ...(peer === overview.id || !one.label ? [] : [" ", el("code", { class: "small soft", title: peer }, shortId(peer))]));
  }

  function line(message) {
    const mine = peer === overview.id ? message.content.startsWith("!") : message.from === overview.id;
    const mark = message.state === "sending" ? "…" : message.state === "sent" ? "✓" : message.state === "delivered" ? "✓✓" : message.state === "shown" ? "" : message.state;
    return el("div", { class: mine ? "mine" : "theirs", dataset: { id: message.id } },
      el("div", { class: "bubble wrap", dir: "auto" }, message.content),
      el("p", { class: `small ${message.state.startsWith("failed") ? "level-error" : "soft"}` }, when.format(message.timestamp), mark && ` ${mark}`));
  }

  async function load(before) {
    const asked = peer;
    const messages = await shell.post("chat/messages", before ? { peer, before } : { peer });
    if (gone || asked !== peer) return;
    const lines = messages.map(line);
    const heard = before ? [] : [...said.children].filter((each) => !messages.some((one) => `${one.id}` === each.dataset.id));
    if (before) said.prepend(...lines);
    else said.replaceChildren(...lines, ...heard);  // what was heard while this was on its way is newer
    oldest = messages.length ? messages[0].id : oldest;
    older.hidden = messages.length < 200;
    nothing.hidden = said.children.length > 0;
    if (!before) said.scrollTop = said.scrollHeight;
  }

  async function choose(next) {
    peer = next;
    oldest = null;
    state.textContent = "";
    shell.note({ peer });
    said.replaceChildren();
    nothing.hidden = true;
    nothing.textContent = peer === overview.id ? "Nothing has been said yet. Begin with ! to ask a script: its commands are shown while you type." : "Nothing has been said yet.";
    paintPeople();
    await load(null);
    text.focus();
  }

  function hear(message) {
    if (message.peer === peer) {
      const there = said.querySelector(`[data-id="${message.id}"]`);
      const atEnd = said.scrollHeight - said.scrollTop - said.clientHeight < NEAR_PIXELS;
      if (there) there.replaceWith(line(message));
      else said.append(line(message));
      nothing.hidden = true;
      if (atEnd || (!there && message.from === overview.id)) said.scrollTop = said.scrollHeight;  // who reads further up stays there
    }
    clearTimeout(renewing);
    renewing = setTimeout(renew, 300);
  }

  let renewing = 0;
  async function renew() {
    overview = await shell.get("chat").catch(() => overview);
    if (!gone) paintPeople();
  }

  // Commands of this peer complete; another's are not known.
  function matching() {
    const typed = text.value;
    if (peer !== overview.id || !typed.startsWith("!") || /\s/.test(typed)) return [];
    return overview.commands.filter((one) => one.name.startsWith(typed.slice(1).toLowerCase()));
  }
  let chosen = 0; // which of the matching commands
  function suggest() {
    text.rows = Math.min(6, text.value.split("\n").length);
    chosen = 0;
    paintChoices();
  }
  function paintChoices() {
    const found = matching();
    choices.hidden = !found.length;
    choices.replaceChildren(...found.map((one, index) => el("li", { role: "option", id: `${ids.commands}-${index}`, "aria-selected": String(index === chosen), onclick: () => take(one) },
      el("span", { class: "mono" }, `!${one.name}`), el("span", { class: "small soft" }, one.description))));
    text.setAttribute("aria-activedescendant", found.length ? `${ids.commands}-${chosen}` : "");
    if (found.length) choices.children[chosen].scrollIntoView({ block: "nearest" });
  }
  function take(one) {
    text.value = `!${one.name} `;
    suggest();
    text.focus();
  }
  function key(event) {
    if (event.isComposing) return;
    const found = choices.hidden ? [] : matching();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      chosen = (chosen + step + found.length) % found.length;
      paintChoices();
    } else if ((event.key === "Tab" && !event.shiftKey && found.length) || (event.key === "Enter" && found.length && chosen)) {
      event.preventDefault();
      take(found[chosen]);
    } else if (event.key === "Escape") choices.hidden = true;
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      text.form.requestSubmit();
    }
  }

  async function send(event) {
    event.preventDefault();
    const content = text.value;
    if (!content.trim()) return;
    text.value = "";
    suggest();
    state.textContent = "";
    try {
      await shell.post("chat/send", { peer, content });
    } catch (error) {
      text.value = content;
      state.textContent = error.message;
    }
  }

  async function forget() {
    const asked = peer;
    const name = nameOf(known().find((each) => each.peer === asked));
    if (!await shell.confirm(`Delete the conversation with ${name}? Its messages cannot be brought back.`, "Delete")) return;
    await deleted({ peer: asked }, asked);
  }
  async function forgetStrangers() {
    if (!await shell.confirm("Delete every conversation in which you have written nothing? Their messages cannot be brought back.", "Delete")) return;
    await deleted({ strangers: true }, peer);
  }
  async function deleted(which, asked) {
    try {
      await shell.post("chat/forget", which);
    } catch (error) {
      if (!gone && asked === peer) state.textContent = error.message;
      return;
    }
    await renew();
    if (!gone && asked === peer) {
      said.replaceChildren();
      await load(null);
    }
  }

  const end = shell.on("message", hear);
  await choose(peer);
  return () => {
    gone = true;
    clearTimeout(renewing);
    end();
  };
}
