// Chat: direct messages with this peer's scripts and with other peers. Messages are shown as text, never as HTML. A draft belongs to its
// conversation: it stays there while another one is open, and a refused message goes back to its own conversation.
import { post } from "../shell/api.js";
import { avatar } from "../shell/avatars.js";
import { freshId } from "../shell/dom.js";
import { clock, shortId } from "../shell/format.js";
import { filteredList } from "../shell/lists.js";
import { t } from "../shell/text.js";
import { toast } from "../shell/toasts.js";

const NEAR_PIXELS = 80;
const PAGE = 200; // messages in one answer
const CALM_MS = 300; // several messages come at once
const written = new Map(); // peer → what stands in the box of its conversation, kept while another one or another page is shown
let box = null; // the one that is shown
const refused = new Map(); // peer → [{content, why}]: what could not be sent, and did not go back into the box
const COMMAND = /^\s*[!！]\s*/; // as scripting/command_text.py: blanks around the mark, and the full-width mark of phone keyboards
const MILLISECONDS = 1000;

export async function show(main, shell) {
  const { el } = shell;
  let overview = await shell.get("chat");
  let peer = shell.query.get("peer") || overview.id;
  let oldest = null;
  let news = new Map(); // id → message that arrived since the conversation was asked for

  const conversations = filteredList({
    label: t("Find a conversation"), keyOf: (one) => one.peer, text: (one) => `${nameOf(one)} ${one.peer} ${one.last?.content || ""}`,
    make: (one) => el("li", {}, el("a", {
      href: `#/chat?peer=${one.peer}`, "aria-current": one.peer === peer ? "true" : null, title: one.peer,
      onclick: (event) => { event.preventDefault(); choose(one.peer); } },
      avatar(one.peer, one.avatar), el("span", {}, nameOf(one)), one.peer !== overview.id && one.label && el("code", { class: "small soft" }, shortId(one.peer)), one.here && one.peer !== overview.id && el("span", { class: "badge good" }, t("here")),
      one.last && el("span", { class: "small soft cut last" }, one.last.content))),
  });
  const people = el("nav", { class: "script-list", "aria-label": t("Conversations") }, conversations.element);
  const title = el("h2", {});
  const older = el("button", { type: "button", onclick: earlier, hidden: true }, t("Earlier messages"));
  const forgetting = el("button", { type: "button", class: "quiet", onclick: () => removeThis(), hidden: true }, t("Delete conversation"));
  const forgettingStrangers = el("button", { type: "button", class: "quiet", onclick: () => removeStrangers(), hidden: true }, t("Delete conversations I never wrote in"));
  const said = el("div", { class: "talk", role: "log", tabindex: "0", "aria-label": t("Messages") });
  const nothing = el("p", { class: "soft", hidden: true });
  const ids = { text: freshId("text"), commands: freshId("commands") };
  const choices = el("ul", { id: ids.commands, class: "commands", role: "listbox", "aria-label": t("Commands"), tabindex: "0", hidden: true, onkeydown: key });
  const text = el("textarea", { id: ids.text, rows: 1, autocomplete: "off", spellcheck: "false", "aria-controls": ids.commands, onkeydown: key, oninput: suggest });
  const state = el("div", { class: "small wrap", role: "status" });
  main.replaceChildren(el("h1", {}, t("Chat")), el("div", { class: "scripts" },
    el("section", { class: "card" }, people, el("p", { class: "small" }, el("a", { href: "#/network" }, t("Write to another peer"))), forgettingStrangers),
    el("section", { class: "card talk-card" }, el("div", { class: "row apart" }, title, forgetting), older, nothing, said,
      el("form", { class: "saying", onsubmit: send }, choices,
        el("label", { class: "field grow", for: ids.text }, t("Message; ! begins a command"), text), el("button", { type: "submit", class: "main" }, t("Send"))), state)));

  const nameOf = (one) => (one.peer === overview.id ? t("This peer") : one.label || shortId(one.peer));
  const known = () => {
    const all = new Map(overview.conversations.map((one) => [one.peer, one]));
    for (const id of [overview.id, peer]) if (!all.has(id)) all.set(id, { peer: id, label: "", here: id === overview.id, messages: 0, last: null });
    return [...all.values()];
  };

  function paintPeople() {
    conversations.set(known());
    const one = known().find((each) => each.peer === peer);
    forgetting.hidden = !one.messages;
    forgettingStrangers.hidden = overview.conversations.every((each) => each.peer === overview.id);
    title.replaceChildren(avatar(peer, one.avatar), " ", nameOf(one), ...(peer === overview.id || !one.label ? [] : [" ", el("code", { class: "small soft", title: peer }, shortId(peer))]));
  }

  // With this peer itself both sides have its id, and the replies of scripts are marked.
  function line(message) {
    const mine = message.from === overview.id && message.state !== "reply";
    const mark = message.state === "sending" ? "…" : message.state === "sent" ? "✓" : message.state === "delivered" ? "✓✓" : message.state === "shown" || message.state === "reply" ? "" : message.state;
    return el("div", { class: mine ? "mine" : "theirs", dataset: { id: message.id } },
      el("div", { class: "bubble wrap", dir: "auto" }, message.content),
      el("p", { class: `small ${message.state.startsWith("failed") ? "level-error" : "soft"}` }, clock(message.timestamp / MILLISECONDS), mark && ` ${mark}`));
  }

  const choosing = shell.choices();
  let isShown = () => false; // whether the conversation that was chosen last is this one

  async function load() {
    const isChosen = (isShown = choosing());
    news = new Map();
    let messages = [];
    try {
      messages = await shell.read("chat/messages", { peer });
    } catch (error) {
      if (isChosen()) nothing.textContent = error.message;
    }
    if (!isChosen()) return;
    const known = new Set(messages.map((one) => one.id));
    const newer = [...news.values()].filter((one) => !known.has(one.id));
    said.replaceChildren(...messages.map((one) => line(news.get(one.id) || one)), ...newer.map(line)); // events that arrived meanwhile are newer
    loaded(messages);
    said.scrollTop = said.scrollHeight;
  }

  async function earlier() {
    if (older.disabled) return; // once at a time
    const isChosen = isShown;
    older.disabled = true;
    try {
      const messages = await shell.read("chat/messages", { peer, before: oldest });
      if (!isChosen()) return;
      said.prepend(...messages.map(line));
      loaded(messages);
    } catch (error) {
      if (isChosen()) shell.toast(error.message, "bad");
    } finally {
      if (isChosen()) older.disabled = false;
    }
  }

  function loaded(messages) {
    oldest = messages.length ? messages[0].id : oldest;
    older.hidden = messages.length < PAGE;
    nothing.hidden = said.children.length > 0;
  }

  async function choose(next) {
    peer = next;
    oldest = null;
    box.renew();
    shell.note({ peer });
    said.replaceChildren();
    older.hidden = nothing.hidden = true;
    older.disabled = false;
    nothing.textContent = peer === overview.id ? t("No messages yet. Begin with ! to run a command: the commands are shown while you type.") : t("No messages yet.");
    paintPeople();
    text.focus();
    await load();
  }

  function arrived(message) {
    if (message.peer === peer) {
      news.set(message.id, message);
      const there = said.querySelector(`[data-id="${message.id}"]`);
      const atEnd = said.scrollHeight - said.scrollTop - said.clientHeight < NEAR_PIXELS;
      if (there) there.replaceWith(line(message));
      else said.append(line(message));
      nothing.hidden = true;
      if (atEnd || (!there && message.from === overview.id)) said.scrollTop = said.scrollHeight;  // who reads further up stays there
    }
    soon();
  }

  const asking = shell.renewals();
  async function renew() {
    const isNews = asking();
    const next = await shell.get("chat").catch(() => null);
    if (!next || !isNews()) return;
    overview = next;
    paintPeople();
  }
  const soon = shell.delayed(CALM_MS, renew);

  // Commands of this peer complete; another's are not known.
  function matching() {
    const typed = text.value.replace(COMMAND, "");
    if (peer !== overview.id || typed === text.value || /\s/.test(typed)) return [];
    return overview.commands.filter((one) => one.name.startsWith(typed.toLowerCase()));
  }
  let chosen = 0; // which of the matching commands
  function suggest() {
    written.set(peer, text.value);
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

  function paintRefused() {
    const button = (words, does) => el("button", { type: "button", onclick: does }, words);
    const those = refused.get(peer) || [];
    state.replaceChildren(...those.map((one) => el("div", { class: "row apart" },
      el("p", { class: "grow wrap" }, el("span", { class: "level-error" }, one.why), one.content && [". ", t`The message: ${one.content}`]),
      one.content && el("span", { class: "row" }, button(t("Put it back"), () => putBack(one)), button(t("Discard"), () => forget((each) => each === one))))));
  }

  function putBack(one) {
    text.value = text.value.trim() ? `${text.value}\n${one.content}` : one.content;
    forget((each) => each === one);
    suggest();
    text.focus();
  }

  function forget(which) {
    refused.set(peer, (refused.get(peer) || []).filter((each) => !which(each)));
    paintRefused();
  }

  async function send(event) {
    event.preventDefault();
    const content = text.value;
    if (!content.trim()) return;
    const to = peer;
    const name = nameOf(known().find((one) => one.peer === to));
    text.value = "";
    suggest();
    forget((one) => !one.content);
    // Its refusal matters though the conversation, or the page, be left by then.
    await post("chat/send", { peer: to, content }).catch((error) => notSent(to, name, content, error.message));
  }

  async function remove(which, question) {
    const isChosen = isShown;
    if (!await shell.confirm(question, t("Delete"))) return;
    try {
      await shell.post("chat/forget", which);
    } catch (error) {
      shell.toast(error.message, "bad");
      return;
    }
    await renew();
    if (isChosen()) {
      said.replaceChildren();
      await load();
    }
  }
  const removeThis = () => remove({ peer }, t`Delete the conversation with ${nameOf(known().find((one) => one.peer === peer))}? Its messages cannot be brought back.`);
  const removeStrangers = () => remove({ strangers: true }, t("Delete every conversation in which you have written nothing? Their messages cannot be brought back."));

  box = {
    isOf: (one) => one === peer,
    renew() {
      text.value = written.get(peer) || "";
      suggest();
      paintRefused();
    },
  };
  const mine = box;
  shell.atEnd(() => box === mine && (box = null));
  shell.on("message", arrived);
  await choose(peer);
}

// Put the text back into the box of its own conversation if that is still empty; else show it beside the box.
function notSent(to, name, content, why) {
  const goesBack = !(written.get(to) || "").trim();
  if (goesBack) written.set(to, content);
  refused.set(to, [...(refused.get(to) || []), { content: goesBack ? "" : content, why }]);
  if (box && box.isOf(to)) box.renew();
  else toast(t`Not sent to ${name}: ${why}. The text is kept in that conversation.`, "bad");
}
