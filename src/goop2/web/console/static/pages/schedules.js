// Schedules: the data functions that run by themselves: when next, how the last time; run now, pause, resume, and their runs.
import { clock, duration, moment } from "../shell/format.js";
import { filteredList } from "../shell/lists.js";
import { scriptAddress, statusBadge } from "../shell/run.js";
import { many, mix, t } from "../shell/text.js";

const REFRESH_MS = 1000; // after a run that ended

export async function show(main, shell) {
  const { el } = shell;
  let found = await shell.get("schedules");
  const example = '--- @every 15m\nfunction run(event)\n  goop.log.info("it ran")\nend\n';
  const list = filteredList({ label: t("Find a schedule"), keyOf: (one) => one.name, text: (one) => `${one.name} ${one.description} ${one.schedule}`, make: line, none: t("No schedule yet.") });
  const empty = el("div", { hidden: true }, el("p", {}, t("Begin the file of a data function so, and it runs by itself:")), el("pre", { tabindex: "0" }, example),
    el("p", { class: "soft" }, mix("Or at times of the day: {0}: minute, hour, day, month, weekday.", el("code", {}, "--- @cron 0 8 * * *"))));
  main.replaceChildren(el("h1", {}, t("Schedules")), el("section", { class: "card page" },
    el("p", { class: "soft" }, t`Data functions that run by themselves, as you, while the peer runs. Times are those of the peer, ${found.zone}.`), list.element, empty));

  function line(one) {
    const paused = one.paused;
    return el("li", { class: "page schedule" },
      el("div", { class: "row apart" },
        el("p", {}, el("a", { class: "mono", href: scriptAddress({ kind: "function", script: one.name }) }, one.name), " ", el("code", { class: "small" }, `@${one.schedule}`), " ",
          paused ? el("span", { class: "badge warn" }, t("paused")) : one.running ? el("span", { class: "badge" }, t("running")) : null),
        el("div", { class: "row" },
          el("button", { type: "button", "aria-label": t`Run ${one.name} now`, disabled: one.running, onclick: (event) => run(one, event.target) }, t("Run now")),
          el("button", { type: "button", "aria-label": paused ? t`Resume ${one.name}` : t`Pause ${one.name}`, onclick: () => change(paused ? "resume" : "pause", one) }, paused ? t("Resume") : t("Pause")),
          el("a", { class: "button", href: `#/runs?${new URLSearchParams({ kind: "schedule", script: one.name })}`, "aria-label": t`Runs of ${one.name}` }, t("Runs")))),
      one.description && el("p", { class: "small soft wrap" }, one.description),
      el("p", { class: "small wrap" }, paused ? t("Does not run by itself.") : one.next === null ? t("Never comes.") : mix("Next: {0}.", el("time", { title: moment(one.next) }, clock(one.next))), " ", last(one.last)));
  }

  function last(one) {
    if (!one) return t("It has not run yet.");
    return [mix("Last: {0}", one.run ? el("a", { href: `#/runs/${one.run}` }, clock(one.at)) : clock(one.at)), " ",
      one.status === "ok" ? el("span", { class: "badge ok" }, duration(one.milliseconds)) : statusBadge({ status: one.status }),
      one.missed ? [" ", many(one.missed, "{0} time missed before it.", "{0} times missed before it.")] : "", one.message ? el("span", { class: "level-error wrap" }, ` ${one.message}`) : ""];
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
      shell.toast(answer.status === "ok" ? t`${one.name} ran.` : `${one.name}: ${answer.message || t("it did not run")}`, answer.status === "ok" ? "good" : "bad");
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
