// The tests of the folder: a button that runs them all, and what came of them.
import { el } from "./dom.js";
import { counted, duration } from "./format.js";

/** `button` runs the tests, `element` shows what came of them; it is hidden until then. */
export function testRuns(shell) {
  const place = el("div", {});
  const close = el("button", { type: "button", onclick: () => { element.hidden = true; button.focus(); } }, "Close");
  const again = el("button", { type: "button", onclick: () => run() }, "Run them again");
  const element = el("section", { class: "card page tests", "aria-label": "Tests", hidden: true },
    el("div", { class: "row apart" }, el("h2", { tabindex: "-1" }, "Tests"), el("div", { class: "row" }, again, close)), place);
  const button = el("button", { type: "button", title: "Runs tests/*_test.lua on a copy of the folder and its database", onclick: () => run() }, "Test");

  async function run() {
    button.disabled = again.disabled = true;
    element.hidden = false;
    place.replaceChildren(el("p", { class: "wait", role: "status" }, "Running the tests…"));
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
  const sum = el("p", { role: "status" }, el("span", { class: `badge ${failed.length ? "bad" : "ok"}` }, failed.length ? `${failed.length} failed` : "all good"),
    ` ${counted(results.length, "test")}, ${duration(1000 * seconds)}.`);
  const files = [...new Set(results.map(({ file }) => file))];
  const passed = (file) => results.filter((one) => one.file === file && one.ok).length;
  return [
    sum, ...notes.map((note) => el("p", { class: "small level-warn wrap" }, note)),
    failed.length ? el("ul", { class: "list" }, failed.map(failure)) : null,
    el("ul", { class: "small soft" }, files.map((file) => el("li", {}, el("code", {}, file), ` ${passed(file)} of ${results.filter((one) => one.file === file).length} good`))),
  ].filter(Boolean);
}

function failure(one) {
  const differs = one.difference && el("div", { class: "row" }, side("expected", one.difference.wanted), side("got", one.difference.got));
  const runs = one.runs.map((run) => el("li", {},
    el("code", { class: "wrap" }, `${run.script} ${run.argument}`), ` as ${run.caller}, ${duration(run.milliseconds)}: `,
    el("span", { class: run.status === "ok" ? "" : "level-error" }, run.status === "ok" ? run.answer : `${run.status}: ${run.message}`),
    run.log.length ? el("ol", { class: "lines mono" }, run.log.map((line) => el("li", {}, line))) : null));
  return el("li", { class: "page" },
    el("p", { class: "wrap" }, el("strong", {}, one.name || "(the file)"), " ", el("code", {}, one.line ? `${one.file}:${one.line}` : one.file)),
    el("pre", { class: "wrap level-error", tabindex: "0" }, one.message), differs,
    one.log.length ? el("ol", { class: "lines mono small" }, one.log.map((line) => el("li", {}, line))) : null,
    runs.length ? el("div", {}, el("h3", {}, "What ran"), el("ul", { class: "small" }, runs)) : null);
}

const side = (title, text) => el("div", { class: "grow" }, el("h3", {}, title), el("pre", { class: "wrap", tabindex: "0" }, text));
