// Schedules: the data functions that run by themselves: when next, how the last time; run now, pause, resume, and their runs.
import { clock, counted, duration, moment } from "../shell/format.js";
import { filteredList } from "../shell/lists.js";
import { scriptAddress, statusBadge } from "../shell/run.js";

const REFRESH_MS = 1000; // after a run that ended

export async function show(main, shell) {
  const { el } = shell;
  let found = await shell.get("schedules");
  const example = '--- @every 15m\nfunction run(event)\n  goop.log.info("it ran")\nend\n';
  const list = filteredList({ label: "Find a schedule", keyOf: (one) => one.name, text: (one) => `${one.name} ${one.description} ${one.schedule}`, make: line, none: "No schedule yet." });
  const empty = el("div", { hidden: true }, el("p", {}, "Begin the file of a data function so, and it runs by itself:"), el("pre", { tabindex: "0" }, example),
    el("p", { class: "soft" }, "Or at times of the day: ", el("code", {}, "--- @cron 0 8 * * *"), ": minute, hour, day, month, weekday."));
  main.replaceChildren(el("h1", {}, "Schedules"), el("section", { class: "card page" },
    el("p", { class: "soft" }, `Data functions that run by themselves, as you, while the peer runs. Times are those of the peer, ${found.zone}.`), list.element, empty));

  function line(one) {
    const paused = one.paused;
    return el("li", { class: "page schedule" },
      el("div", { class: "row apart" },
        el("p", {}, el("a", { class: "mono", href: scriptAddress({ kind: "function", script: one.name }) }, one.name), " ", el("code", { class: "small" }, `@${one.schedule}`), " ",
          paused ? el("span", { class: "badge warn" }, "paused") : one.running ? el("span", { class: "badge" }, "running") : null),
        el("div", { class: "row" },
          el("button", { type: "button", "aria-label": `Run ${one.name} now`, disabled: one.running, onclick: (event) => run(one, event.target) }, "Run now"),
          el("button", { type: "button", "aria-label": `${paused ? "Resume" : "Pause"} ${one.name}`, onclick: () => change(paused ? "resume" : "pause", one) }, paused ? "Resume" : "Pause"),
          el("a", { class: "button", href: `#/runs?${new URLSearchParams({ kind: "schedule", script: one.name })}`, "aria-label": `Runs of ${one.name}` }, "Runs"))),
      one.description && el("p", { class: "small soft wrap" }, one.description),
      el("p", { class: "small wrap" }, paused ? "Does not run by itself." : one.next === null ? "Never comes." : ["Next: ", el("time", { title: moment(one.next) }, clock(one.next)), "."], last(one.last)));
  }

  function last(one) {
    if (!one) return " It has not run yet.";
    return [" Last: ", one.run ? el("a", { href: `#/runs/${one.run}` }, clock(one.at)) : clock(one.at), " ",
      one.status === "ok" ? el("span", { class: "badge ok" }, duration(one.milliseconds)) : statusBadge({ status: one.status }),
      one.missed ? ` ${counted(one.missed, "time")} missed before it.` : "", one.message ? el("span", { class: "level-error wrap" }, ` ${one.message}`) : ""];
  }

  function paint() {
    list.set(found.schedules);
    list.element.hidden = !found.schedules.length;
    empty.hidden = Boolean(found.schedules.length);
  }

  const asking = shell.renewals();
  async function refresh() {
    const isNews = asking();
    const next = await shell.get("schedules").catch(() => null);
    if (!next || !isNews()) return;
    found = next;
    paint();
  }

  async function run(one, button) {
    button.disabled = true;
    try {
      const answer = await shell.post("schedules/run", { name: one.name });
      shell.toast(answer.status === "ok" ? `${one.name} ran.` : `${one.name}: ${answer.message || "it did not run"}`, answer.status === "ok" ? "good" : "bad");
    } catch (error) {
      shell.toast(error.message, "bad");
    }
    await refresh();
  }

  async function change(what, one) {
    try {
      found = await shell.post(`schedules/${what}`, { name: one.name });
      paint();
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  paint();
  const soon = shell.delayed(REFRESH_MS, refresh);
  for (const kind of ["run", "script", "gap"]) shell.on(kind, soon);
}
