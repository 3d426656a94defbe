// Runs & logs: what ran, live; each run with its lines and host calls; log lines; plots of the last hour.
import { freshId } from "../shell/dom.js";
import { bytes, clock, duration, grouped } from "../shell/format.js";
import { plots } from "../shell/plots.js";
import { rows } from "../shell/rows.js";
import { STATUSES, callerShown, errorShown, runCard, scriptShown, statusBadge } from "../shell/run.js";
import { many, t } from "../shell/text.js";

const SHOWN_MAX = 60_000; // more than are kept by default
const AT_ONCE = 1000; // runs in one answer
const NEAR_END_PIXELS = 2000; // from there on older ones are asked for
const REFRESH_MS = 500;
const PLOT_MS = 5000;
const SCROLLED_MS = 100;
const WRITING_MS = 200; // after the last key, until the filter is applied
const FILTERS = ["text", "script", "kind", "status", "caller", "level", "time"];
const TITLES = { text: t("Text"), script: t("Script"), kind: t("Kind"), status: t("Status"), caller: t("Caller"), level: t("Log level"), time: t("Time") };
const CHOICES = {
  kind: { command: t("command"), function: t("function"), schedule: t("schedule") },
  status: { ok: STATUSES.ok, failed: t("failed"), refused: t("turned away"), ...STATUSES },
  level: { info: t("any line"), warn: t("warn or error"), error: t("error") },
  time: { hour: t("last hour"), day: t("last day"), week: t("last week") },
};
const SPANS = { hour: 3600, day: 86_400, week: 604_800 }; // seconds

export function show(main, shell) {
  return shell.inner ? showOne(main, shell) : showAll(main, shell);
}

// A run by its own address, `#/runs/1002`.
async function showOne(main, shell) {
  const { el } = shell;
  const all = el("a", { class: "button", href: "#/runs" }, t("All runs"));
  const none = (title, why) => main.replaceChildren(el("section", { class: "card problem", role: "alert" }, el("h1", {}, title), el("p", {}, why), el("p", {}, all)));
  if (!/^\d{1,15}$/.test(shell.inner)) return none(t("No such run"), t`“${shell.inner.slice(0, 40)}” is no number of a run.`);
  let run;
  try {
    run = await shell.get(`runs/${shell.inner}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    return none(t`Run ${shell.inner} is not kept`, t("It is too old, or there was none of this number."));
  }
  main.replaceChildren(el("h1", { class: "unseen" }, t("A run")), runCard(run, shell, all, (caller, button) => repeat(shell, run, caller, button, (id) => { location.hash = `#/runs/${id}`; })));
}

// Runs it again, and shows the new run.
async function repeat(shell, run, caller, button, open) {
  button.disabled = true;
  try {
    const answer = await shell.post(`runs/${run.id}/again`, { caller });
    if (answer.run === null) shell.toast(t("The call was turned away before it ran. The newest run says why."), "bad");
    else open(answer.run);
  } catch (error) {
    shell.toast(error.message, "bad");
  }
  button.disabled = false;
}

async function showAll(main, shell) {
  const { el } = shell;
  let view = shell.query.get("view") === "logs" ? "logs" : "runs";
  let items = [];
  let ids = new Set();
  let shown = { view, filter: {} }; // what the rows are of
  let unanswered = 0; // questions for other rows
  let missed = false; // whether something ran meanwhile
  let mayBeMore = false; // whether older ones than those shown may fit

  const soonRenew = shell.delayed(WRITING_MS, () => renew(), true);
  const controls = Object.fromEntries(FILTERS.map((name) => [name, control(name)]));
  const count = el("span", { class: "soft small", role: "status" });
  const tabs = ["runs", "logs"].map((name) =>
    el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "rows", onclick: () => look(name) }, name === "runs" ? t("Runs") : t("Log lines")),
  );
  const box = el("div", { class: "rows", id: "rows", role: "tabpanel", tabindex: "0" });
  const opened = el("div", { "aria-live": "polite" });
  const drawings = el("div", { class: "plots" });
  const list = rows(box, (item) => (shown.view === "runs" ? runRow(item) : lineRow(item)), (item) => item.key);
  main.replaceChildren(
    el("h1", {}, t("Runs & logs")),
    drawings,
    el(
      "section",
      { class: "card", "aria-label": t("What ran") },
      el(
        "form",
        { class: "filters", onsubmit: (event) => event.preventDefault() },
        ...FILTERS.map((name) => controls[name].field),
        el("button", { type: "reset", onclick: () => setTimeout(renew) }, t("Show all")),
      ),
      el("div", { class: "row apart small" }, el("div", { class: "tabs", role: "tablist", "aria-label": t("What is listed") }, tabs), count),
      box,
    ),
    opened,
  );

  function control(name) {
    const id = freshId(name);
    const value = shell.query.get(name) || "";
    const choices = CHOICES[name];
    const input = choices
      ? el("select", { id, onchange: renew }, el("option", { value: "" }, t("any")), Object.entries(choices).map(([one, title]) => el("option", { value: one, selected: one === value }, title)))
      : el("input", { id, type: "search", value, autocomplete: "off", spellcheck: "false", oninput: soonRenew });
    return { input, field: el("label", { class: "field", for: id }, TITLES[name], input) };
  }

  const filter = () => Object.fromEntries(FILTERS.map((name) => [name, controls[name].input.value.trim()]).filter(([, value]) => value));
  function runRow(run) {
    return el(
      "button",
      { type: "button", class: "line run", onclick: () => openRun(run.id) },
      el("span", { class: "clock" }, clock(run.started)),
      el("span", {}, statusBadge(run)),
      el("span", {}, scriptShown(run), run.count > 1 && el("span", { class: "badge" }, `× ${grouped(run.count)}`), run.message && el("span", { class: "soft" }, ` ${errorShown(run)}`)),
      el("span", { class: "soft wide", title: run.caller }, callerShown(run)),
      el("span", { class: "number" }, run.refused ? "" : duration(run.milliseconds)),
      el("span", { class: "number soft wide" }, run.refused ? "" : bytes(run.memory_bytes)),
    );
  }

  function lineRow(line) {
    return el(
      "button",
      { type: "button", class: "line log", onclick: () => openRun(line.run) },
      el("span", { class: "clock" }, clock(line.at)),
      el("span", { class: `level-${line.level}` }, line.level),
      el("span", { class: "soft wide" }, line.script),
      el("span", { class: "mono" }, line.text),
    );
  }

  function path(of, more = {}) {
    const { time, ...plain } = of.filter;
    const since = time ? { since: Math.floor(Date.now() / 1000) - SPANS[time] } : {};
    return `${of.view === "runs" ? "runs" : "lines"}?${new URLSearchParams({ ...plain, ...since, ...more })}`;
  }

  function keyed(answer, of) {
    const places = new Map(); // a run's lines are told apart by their place in it
    return answer.map((item) => {
      if (of.view === "runs") return { ...item, key: item.id };
      const place = (places.get(item.run) || 0) + 1;
      places.set(item.run, place);
      return { ...item, key: `${item.run}.${place}` };
    });
  }

  function runsSaid() {
    if (!items.length) return t("No runs match these filters");
    return mayBeMore ? many(items.length, "The last {0} run", "The last {0} runs") : many(items.length, "{0} run", "{0} runs");
  }

  const linesSaid = () => (items.length ? many(items.length, "{0} log line", "{0} log lines") : t("No log lines match these filters"));

  function say() {
    count.textContent = shown.view === "runs" ? runsSaid() : linesSaid();
  }

  const choose = shell.choices();
  async function renew() {
    const isChosen = choose();
    const asked = { view, filter: filter() };
    shell.note({ ...(view === "logs" ? { view } : {}), ...asked.filter });
    unanswered++;
    try {
      const answer = await shell.get(path(asked));
      if (!isChosen()) return;
      shown = asked;
      items = keyed(answer, asked);
      ids = new Set(items.map((item) => item.key));
      mayBeMore = asked.view === "runs" && answer.length === AT_ONCE;
      list.renew(items);
      say();
    } catch (error) {
      if (isChosen()) count.textContent = error.message;
    } finally {
      unanswered--;
    }
    if (missed) addNew();
  }

  async function addNew() {
    missed = unanswered > 0; // what is asked for may not know it yet
    if (missed) return;
    const asked = shown;
    const newest = items.length ? items[0].id || items[0].run : 0;
    try {
      const answer = keyed(await shell.get(path(asked, { after: newest })), asked);
      if (asked !== shown) return;
      const fresh = answer.filter((item) => !ids.has(item.key));
      fresh.forEach((item) => ids.add(item.key));
      items = [...fresh, ...items].slice(0, SHOWN_MAX);
      ids = items.length === SHOWN_MAX ? new Set(items.map((item) => item.key)) : ids;
      list.set(items, fresh.length);
      say();
    } catch {
      // The status at the top says that the peer does not answer; missed runs come with the next answer.
    }
  }

  // Older ones, when somebody scrolls to the end.
  let asksOlder = false;
  async function addOlder() {
    if (asksOlder || !mayBeMore || shown.view !== "runs" || box.scrollTop + box.clientHeight < box.scrollHeight - NEAR_END_PIXELS) return;
    asksOlder = true;
    const asked = shown;
    try {
      const answer = keyed(await shell.get(path(asked, { before: items[items.length - 1].id })), asked);
      if (asked !== shown) return;
      const older = answer.filter((item) => !ids.has(item.key));
      older.forEach((item) => ids.add(item.key));
      items = [...items, ...older];
      mayBeMore = answer.length === AT_ONCE && items.length < SHOWN_MAX;
      list.set(items);
      say();
    } catch {
      // The sign at the top says that the peer is not reached; the next move asks again.
    } finally {
      asksOlder = false;
    }
  }
  box.addEventListener("scroll", shell.delayed(SCROLLED_MS, addOlder), { passive: true });

  function look(name) {
    view = name;
    tabs.forEach((tab) => {
      const chosen = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", String(chosen));
      if (chosen) box.setAttribute("aria-labelledby", tab.id);
    });
    renew();
  }

  const chooseRun = shell.choices();
  async function openRun(id) {
    const isChosen = chooseRun();
    const from = document.activeElement;
    try {
      const run = await shell.get(`runs/${id}`);
      if (!isChosen()) return;
      const corner = el("div", { class: "row" }, el("a", { href: `#/runs/${run.id}` }, t("Its own page")), el("button", { type: "button", onclick: closeRun }, t("Close")));
      opened.replaceChildren(runCard(run, shell, corner, (caller, button) => repeat(shell, run, caller, button, openRun)));
    } catch (error) {
      if (isChosen()) shell.toast(error.message, "bad");
      return;
    }
    if (![from, document.body].includes(document.activeElement)) return; // the focus stays in a filter that is being typed in
    opened.firstChild.scrollIntoView({ block: "nearest" });
    opened.querySelector("h2").focus();
  }

  function closeRun() {
    chooseRun();
    opened.replaceChildren();
  }

  const toOpen = shell.query.get("run");
  look(view);
  const drawn = plots(drawings);
  const plotting = shell.renewals();
  const replot = async () => {
    const isNews = plotting();
    const [one, minutes] = await shell.whileShown(Promise.all([drawn, shell.get("minutes")]));
    if (isNews()) one.set(minutes);
  };
  replot().catch((error) => shell.toast(t`The plots: ${error.message}`, "bad"));
  shell.every(PLOT_MS, () => replot().catch(() => {}));
  if (toOpen) openRun(toOpen);
  shell.on("run", shell.delayed(REFRESH_MS, addNew));
  shell.on("gap", renew);
  shell.atEnd(() => {
    list.close();
    drawn.then((one) => one.close(), () => {});
  });
}
