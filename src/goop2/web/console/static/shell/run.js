// One run, whole: who called with what, what came of it, where it failed, where its time went; and what can be done with it.
import { el } from "./dom.js";
import { bytes, duration, grouped, moment, shortId } from "./format.js";
import { many, t } from "./text.js";

const SHORT_VISITOR = 6; // of the twenty digits of a visitor's id

/** The error of a run with its line before it, and without the script's name, which stands beside it. */
export function errorShown({ script, line, message }) {
  const place = line === null ? `${script}: ` : `${script}:${line}: `;
  const rest = message.startsWith(place) ? message.slice(place.length) : message;
  return line === null ? rest : t`line ${line}: ${rest}`;
}

/** A script's name as it is called. */
export const scriptShown = ({ kind, script }) => (kind === "command" ? `!${script || "…"}` : script || t("(several names)"));

/** Who called, short: the owner is "you", and nobody else is, whatever a label says. */
export function callerShown({ caller, caller_kind: kind, caller_label: label, count }) {
  if (kind === "owner") return t("you");
  if (!caller) return count > 1 ? t("several callers") : "";
  if (kind === "visitor") return t`visitor ${caller.replace(/^visitor-/, "").slice(-SHORT_VISITOR)}`;
  return label && label !== caller ? `${label} (${shortId(caller)})` : shortId(caller);
}

/** What a run may come to, in words. */
export const STATUSES = {
  ok: t("ok"), script_error: t("script error"), timeout: t("timeout"), memory: t("memory"), unavailable: t("unavailable"), rate_limited: t("rate limited"),
  not_found: t("not found"), bad_request: t("bad request"),
};
export const statusShown = ({ status }) => STATUSES[status] || status.replaceAll("_", " ");

/** The badge of a run's status. */
export const statusBadge = ({ status, refused }) =>
  el("span", { class: `badge ${status === "ok" ? "ok" : refused ? "warn" : "bad"}` }, statusShown({ status }));

/** The address of a script in the editor, at a line when one is given. */
export function scriptAddress({ kind, script }, line, more = {}) {
  return `#/scripts?${new URLSearchParams({ kind: kind === "schedule" ? "function" : kind, name: script, ...(line ? { line } : {}), ...more })}`;
}

/**
 * The run as a card. `shell` is the page's; `close`, a button, stands in its corner; `again(caller)` is called to run it again, as
 * "owner" or as "caller".
 */
export function runCard(run, shell, close, again) {
  const facts = [
    [t("Status"), statusBadge(run)],
    run.count > 1 && [t("Stands for"), run.refused ? many(run.count, "{0} call that was turned away", "{0} calls that were turned away") : many(run.count, "{0} run, of which this is the slowest", "{0} runs, of which this is the slowest")],
    [t("Called by"), caller(run)],
    [t("Began"), moment(run.started)],
    !run.refused && [t("Took"), t`${duration(run.milliseconds)}, of which ${duration(run.waited_milliseconds)} waiting for a worker`],
    !run.refused && [t("Memory"), bytes(run.memory_bytes)],
    run.version && [t("Version"), el("span", {}, el("code", {}, run.version.slice(0, 8)), " ", run.is_current ? t("as it is now") : t("the script has changed since"))],
  ].filter(Boolean);
  return el(
    "section",
    { class: "card page run-card", "aria-label": t`Run ${run.id}` },
    el("div", { class: "row apart" }, el("h2", { tabindex: "-1" }, t`${scriptShown(run)}, run ${run.id}`), close),
    el("dl", { class: "facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    run.message && failure(run),
    el("div", { class: "row" }, actions(run, again)),
    text(t("Called with"), run.argument, run.argument_bytes, t("No arguments.")),
    run.status === "ok" && text(t("Answered"), run.answer, run.answer_bytes, t("An empty answer.")),
    !run.refused && el("div", {}, el("h3", {}, t("Where the time went")), waterfall(run)),
    !run.refused && el("div", {}, el("h3", {}, t("Log")), logOf(run)),
  );

  function failure({ message, line, traceback }) {
    const at = line && shell.has("scripts") && el("a", { href: scriptAddress(run, line) }, t`Open the script at line ${line}`);
    return el(
      "div",
      { class: "failure" },
      el("h3", {}, run.refused ? t("Turned away") : t("Error")),
      el("pre", { class: run.refused ? "wrap" : "wrap level-error" }, message),
      traceback && el("ol", { class: "frames mono small", "aria-label": t("Where it failed") }, traceback.split("\n").map(frame)),
      at && el("p", {}, at),
    );
  }

  // A frame of this script leads to its line.
  function frame(line) {
    const [, script, number] = /^([A-Za-z0-9_-]+):(\d+):/.exec(line) || [];
    return el("li", {}, script === run.script ? el("a", { href: scriptAddress(run, number) }, line) : line);
  }
}

function caller(run) {
  if (run.caller_kind === "owner") return t("you, the owner");
  const name = callerShown(run);
  return el("span", {}, name, run.caller && [" ", el("code", { class: "wrap small soft" }, run.caller)]);
}

function actions(run, again) {
  const why = run.again;
  const as = (name, who) => el("button", { type: "button", disabled: Boolean(why), title: why || null, onclick: (event) => again(who, event.target) }, name);
  return [
    as(run.caller_kind === "owner" ? t("Run again") : t("Run again as yourself"), "owner"),
    run.caller && run.caller_kind !== "owner" && as(t`Run again as ${callerShown(run)}`, "caller"),
    run.script && run.kind !== "schedule" && el("a", { class: "button", href: scriptAddress(run, 0, { run: run.id }) }, t("Open in Try it")),
    why && el("span", { class: "small soft" }, t`Not again: ${why}.`),
  ];
}

function text(title, value, whole, none) {
  if (whole && !value) return el("div", {}, el("h3", {}, title), el("p", { class: "soft" }, t`${bytes(whole)}, not kept.`));
  const cut = whole > new TextEncoder().encode(value).length && el("p", { class: "small soft" }, t`The beginning of ${bytes(whole)}.`);
  return el("div", {}, el("h3", {}, title), value ? el("pre", { class: "wrap kept", tabindex: "0" }, pretty(value)) : el("p", { class: "soft" }, none), cut);
}

// JSON a line a field, anything else as it is.
function pretty(value) {
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}

/** Where the time of a run went, a bar for each piece. */
export function waterfall(run) {
  const whole = Math.max(run.milliseconds, 0.001);
  const bar = (name, start, length, kind = "", more = null) => {
    const piece = el("i", { class: kind });
    piece.style.left = `${Math.min(100, (100 * start) / whole)}%`;
    piece.style.width = `${Math.max(0, Math.min(100 - (100 * start) / whole, (100 * length) / whole))}%`;
    return el("li", {}, el("code", { class: "cut", title: name }, name), el("span", { class: "track" }, piece), el("span", { class: "number" }, duration(length)), more);
  };
  const waited = run.waited_milliseconds;
  return el(
    "ul",
    { class: "waterfall" },
    bar(t("waiting"), 0, waited, "waiting"),
    bar(t("running"), waited, whole - waited),
    run.calls.map(([operation, started, length, detail, rows, scanned]) => bar(`goop.${operation}`, waited + started, length, "", about(detail, rows, scanned))),
  );
}

function about(detail, rows, scanned) {
  if (!detail && rows === null && !scanned) return null;
  return el(
    "span",
    { class: "about small" },
    detail && el("code", { class: "wrap" }, detail),
    rows !== null && el("span", { class: "soft" }, many(rows, "{0} row", "{0} rows")),
    scanned > 0 && el("span", { class: "badge warn", title: t("SQLite read the whole table, because no index serves this statement") }, many(scanned, "scanned {0} row", "scanned {0} rows")),
  );
}

function logOf(run) {
  if (!run.log.length) return el("p", { class: "soft" }, t("It logged nothing."));
  const lines = run.log.map(([level, line]) => el("li", {}, el("span", { class: `level-${level}` }, level), el("span", {}, line)));
  return el("ol", { class: "lines mono", tabindex: "0", "aria-label": t("Log lines") }, lines, run.truncated && el("li", {}, el("span"), el("span", {}, t("… cut: the script logged more than is kept"))));
}
