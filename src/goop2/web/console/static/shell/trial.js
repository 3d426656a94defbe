// Try it: running a script as the owner, a visitor or a peer, with the arguments of the last times at hand.
import { el, freshId } from "./dom.js";
import { bytes, duration, grouped, shortId } from "./format.js";
import { t } from "./text.js";

const KEPT = 5; // argument sets of each script
const KEPT_MAX_CHARS = 16_000; // of one set; longer ones are not kept
const SCRIPTS_MAX = 200; // whose sets are kept, the last used ones
const SETS = "goop2-trials"; // in this browser's storage: {script: [{argument, who, id, label, email}]}
const VISITOR = "goop2-trial-visitor"; // in this tab's: the visitor it tries scripts as
const SHOWN_CHARS = 60;

function saved() {
  try {
    return JSON.parse(localStorage.getItem(SETS) || "{}");
  } catch {
    return {};
  }
}

function keep(key, set) {
  if (set.argument.length > KEPT_MAX_CHARS) return;
  const { [key]: before = [], ...others } = saved();
  const text = JSON.stringify(set);
  const next = [set, ...before.filter((one) => JSON.stringify(one) !== text)].slice(0, KEPT);
  const rest = Object.entries(others).slice(-(SCRIPTS_MAX - 1));
  try {
    localStorage.setItem(SETS, JSON.stringify(Object.fromEntries([...rest, [key, next]])));
  } catch {
    // The storage is full, or closed to this page: nothing is remembered.
  }
}

function visitor() {
  const digits = () => String(Math.floor(Math.random() * 1e10)).padStart(10, "0");
  const id = sessionStorage.getItem(VISITOR) || `visitor-${digits()}${digits()}`;
  sessionStorage.setItem(VISITOR, id);
  return id;
}

/**
 * The form and its results for one script, `{kind, name}`. `saveFirst()` promises whether what is in the editor is saved and compiles.
 * Gives { element, run(), renew(script), fill(run) }.
 */
export function trialOf(shell, which, saveFirst) {
  const key = () => `${which.kind}/${which.name}`; // it may be renamed
  const command = which.kind === "command";
  const ids = { argument: freshId("argument"), who: freshId("caller"), id: freshId("id"), label: freshId("label"), email: freshId("email") };
  const argument = el("textarea", { id: ids.argument, rows: 3, spellcheck: "false", placeholder: command ? "Alice" : '{"answers": ["B", "A"]}', onkeydown: key_ });
  const who = el("select", { id: ids.who, onchange: paintCaller }, Object.entries({ owner: t("Owner (you)"), visitor: t("A visitor"), peer: t("Peer…") }).map(([value, text]) => el("option", { value }, text)));
  const text = (id, more = {}) => el("input", { id, autocomplete: "off", spellcheck: "false", onkeydown: key_, ...more });
  const known = freshId("peers");
  const [id, label, email] = [text(ids.id, { placeholder: "12D3Koo…", list: known, required: true }), text(ids.label), text(ids.email)];
  const peers = el("datalist", { id: known });
  const asPeer = el("div", { class: "filters" },
    el("label", { class: "field", for: ids.id }, t("Id of the peer"), id),
    el("label", { class: "field", for: ids.label }, t("Label"), label),
    el("label", { class: "field", for: ids.email }, t("E-mail, as callers claim it"), email), peers);
  const about = el("p", { class: "small soft wrap" });
  const earlier = el("div", { class: "earlier" });
  const go = el("button", { type: "submit", class: "main", "aria-keyshortcuts": "Control+Enter" }, t("Run it"));
  const out = el("div", { class: "outcome", "aria-live": "polite" });
  const form = el("form", { class: "trial", onsubmit: (event) => { event.preventDefault(); run(); } },
    el("label", { class: "field", for: ids.argument }, command ? t("Arguments") : t("Parameters, as JSON"), argument), earlier,
    el("div", { class: "row" }, el("label", { class: "field grow", for: ids.who }, t("Caller"), who), go), asPeer, about);
  const element = el("div", {}, el("h2", {}, t("Try it")), form, out);

  function key_(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  }

  function paintCaller() {
    asPeer.hidden = who.value !== "peer";
    id.required = who.value === "peer";
    about.textContent = {
      owner: t("With your rights, and without limits."),
      visitor: t`As ${shortId(visitor())}: a stranger's rights, and the limits count.`,
      peer: t("With this peer's rights: what groups and its e-mail give it, and the limits count."),
    }[who.value];
    if (who.value === "peer" && !peers.childElementCount) {
      shell.get("network").then((network) => peers.replaceChildren(...network.peers.map((one) => el("option", { value: one.id }, one.label || ""))), () => {});
    }
  }

  function paintEarlier() {
    const sets = saved()[key()] || [];
    const shown = (set) => `${set.argument.replace(/\s+/g, " ").slice(0, SHOWN_CHARS) || (command ? t("(nothing)") : "{}")}${set.who === "owner" ? "" : ` · ${set.who === "visitor" ? t("as a visitor") : t`as ${set.label || shortId(set.id)}`}`}`;
    earlier.replaceChildren(...(sets.length ? [el("p", { class: "small soft" }, t("The last times:")), el("ul", {}, sets.map((set) =>
      el("li", {}, el("button", { type: "button", class: "link cut mono small", title: set.argument, onclick: () => take(set) }, shown(set)))))] : []));
  }

  function take(set) {
    argument.value = set.argument;
    who.value = set.who;
    [id.value, label.value, email.value] = [set.id || "", set.label || "", set.email || ""];
    paintCaller();
    argument.focus();
  }

  const running = shell.choices();
  async function run() {
    if (!form.reportValidity()) return;
    const set = { argument: argument.value, who: who.value, ...(who.value === "peer" ? { id: id.value.trim(), label: label.value, email: email.value } : {}) };
    const isNewest = running();
    try {
      if (!(await saveFirst())) return;
      keep(key(), set);
      paintEarlier();
      const caller = { owner: null, visitor: { id: visitor() }, peer: { id: set.id, label: set.label, email: set.email } }[set.who];
      const answer = await shell.post("scripts/try", { kind: which.kind, name: which.name, argument: set.argument, caller });
      if (isNewest()) out.replaceChildren(...outcome(answer));
    } catch (error) {
      if (isNewest()) out.replaceChildren(el("p", { class: "level-error wrap", role: "alert" }, error.message));
    }
  }

  const [last] = saved()[key()] || [];
  if (last) [argument.value, who.value, id.value, label.value, email.value] = [last.argument, last.who, last.id || "", last.label || "", last.email || ""];
  paintCaller();
  paintEarlier();

  return {
    element,
    run,
    /** Tries this script from now on, which was loaded anew. */
    renew(script) {
      which = script;
    },
    /** Takes what an earlier run was called with and by whom, to be changed and run. */
    fill(called) {
      argument.value = called.argument;
      who.value = called.caller_kind === "owner" ? "owner" : "peer";
      [id.value, label.value] = called.caller_kind === "owner" ? ["", ""] : [called.caller, called.caller_label === called.caller ? "" : called.caller_label];
      paintCaller();
      element.scrollIntoView({ block: "nearest" });
      argument.focus();
    },
  };
}

function outcome({ reply, result, failure, run }) {
  const answer = failure && !reply
    ? el("pre", { class: "level-error wrap", tabindex: "0" }, `${failure.code}: ${failure.message}`)
    : el("pre", { class: failure ? "wrap level-error" : "wrap", tabindex: "0" }, reply !== undefined ? reply || t("(no reply)") : JSON.stringify(result, null, 2));
  if (!run) return [el("h3", {}, t("Answer")), answer];
  const lines = run.log.map(([level, line]) => el("li", {}, el("span", { class: `level-${level}` }, level), el("span", {}, line)));
  const calls = run.calls.map(([operation, began, took, detail, rows]) => el("tr", {},
    el("td", { class: "mono wrap" }, operation, detail && el("span", { class: "soft small" }, ` ${detail}`)), el("td", { class: "number" }, rows === null ? "" : grouped(rows)), el("td", { class: "number" }, duration(began)), el("td", { class: "number" }, duration(took))));
  return [
    el("h3", {}, t("Answer")), answer,
    el("p", { class: "small soft" }, t`${duration(run.milliseconds)}, of which ${duration(run.waited_milliseconds)} waiting; ${bytes(run.memory_bytes)} of memory.`, " ",
      el("a", { href: `#/runs/${run.id}` }, t`Run ${run.id}`), " ", el("a", { href: `#/runs?script=${run.script}` }, t("All its runs"))),
    el("h3", {}, t("Log")), lines.length ? el("ol", { class: "lines mono small", tabindex: "0", "aria-label": t("Log lines") }, lines) : el("p", { class: "soft small" }, t("It logged nothing.")),
    el("h3", {}, t("Host calls")), calls.length
      ? el("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": t("Host calls") }, el("table", {}, el("thead", {}, el("tr", {}, ["goop.", t("rows"), t("at"), t("took")].map((head, place) => el("th", { class: place ? "number" : null }, head)))), el("tbody", {}, calls)))
      : el("p", { class: "soft small" }, t("It called nothing of goop.")),
  ];
}
