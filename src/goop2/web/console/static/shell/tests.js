// The tests of the folder: a button that runs them all, and what came of them.
import { el } from "./dom.js";
import { duration } from "./format.js";
import { statusShown } from "./run.js";
import { many, t } from "./text.js";

/** `button` runs the tests, `element` shows what came of them; it is hidden until then. */
export function testRuns(shell) {
  const place = el("div", {});
  const close = el("button", { type: "button", onclick: () => { element.hidden = true; button.focus(); } }, t("Close"));
  const again = el("button", { type: "button", onclick: () => run() }, t("Run them again"));
  const element = el("section", { class: "card page tests", "aria-label": t("Tests"), hidden: true },
    el("div", { class: "row apart" }, el("h2", { tabindex: "-1" }, t("Tests")), el("div", { class: "row" }, again, close)), place);
  const button = el("button", { type: "button", title: t("Runs tests/*_test.lua on a copy of the folder and its database"), onclick: () => run() }, t("Test"));

  async function run() {
    button.disabled = again.disabled = true;
    element.hidden = false;
    place.replaceChildren(el("p", { class: "wait", role: "status" }, t("Running the tests…")));
    try {
      place.replaceChildren(...shown(await shell.post("scripts/test", {})));
    } catch (error) {
      place.replaceChildren(el("p", { class: "wrap level-error", role: "alert" }, error.message));
    }
    button.disabled = again.disabled = false;
  }

  return { button, element };
}

function shown({ results, seconds, notes }) {
  const failed = results.filter((one) => !one.ok);
  const sum = el("p", { role: "status" }, el("span", { class: `badge ${failed.length ? "bad" : "ok"}` }, failed.length ? t`${failed.length} failed` : t("all good")),
    " ", many(results.length, "{0} test, {1}.", "{0} tests, {1}.", duration(1000 * seconds)));
  const files = [...new Set(results.map(({ file }) => file))];
  const passed = (file) => results.filter((one) => one.file === file && one.ok).length;
  return [
    sum, ...notes.map((note) => el("p", { class: "small level-warn wrap" }, note)),
    failed.length ? el("ul", { class: "list" }, failed.map(failure)) : null,
    el("ul", { class: "small soft" }, files.map((file) => el("li", {}, el("code", {}, file), " ", t`${passed(file)} of ${results.filter((one) => one.file === file).length} good`))),
  ].filter(Boolean);
}

function failure(one) {
  const differs = one.difference && el("div", { class: "row" }, side(t("expected"), one.difference.wanted), side(t("got"), one.difference.got));
  const runs = one.runs.map((run) => el("li", {},
    el("code", { class: "wrap" }, `${run.script} ${run.argument}`), " ", t`as ${run.caller}, ${duration(run.milliseconds)}:`, " ",
    el("span", { class: run.status === "ok" ? "" : "level-error" }, run.status === "ok" ? run.answer : `${statusShown(run)}: ${run.message}`),
    run.log.length ? el("ol", { class: "lines mono" }, run.log.map((line) => el("li", {}, line))) : null));
  return el("li", { class: "page" },
    el("p", { class: "wrap" }, el("strong", {}, one.name || t("(the file)")), " ", el("code", {}, one.line ? `${one.file}:${one.line}` : one.file)),
    el("pre", { class: "wrap level-error", tabindex: "0" }, one.message), differs,
    one.log.length ? el("ol", { class: "lines mono small" }, one.log.map((line) => el("li", {}, line))) : null,
    runs.length ? el("div", {}, el("h3", {}, t("What ran")), el("ul", { class: "small" }, runs)) : null);
}

const side = (title, text) => el("div", { class: "grow" }, el("h3", {}, title), el("pre", { class: "wrap", tabindex: "0" }, text));
