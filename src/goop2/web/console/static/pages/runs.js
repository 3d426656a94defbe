// Runs & logs: what ran, live; each run with its lines and host calls; log lines; plots of the last hour.
import { freshId } from "../shell/dom.js";
import { bytes, clock, counted, duration, shortId } from "../shell/format.js";
import { plots } from "../shell/plots.js";
import { rows } from "../shell/rows.js";

const SHOWN_MAX = 5000;
const REFRESH_MS = 500;
const PLOT_MS = 5000;
const WRITING_MS = 200; // after the last key, until the filter is applied
const FILTERS = ["text", "script", "kind", "status", "caller"];
const STATUSES = ["ok", "failed", "script_error", "timeout", "memory", "unavailable"];

export async function show(main, shell) {
  const { el } = shell;
  let view = shell.query.get("view") === "logs" ? "logs" : "runs";
  let items = [];
  let ids = new Set();
  let shown = { view, filter: {} }; // what the rows are of
  let unanswered = 0; // questions for other rows
  let missed = false; // whether something ran meanwhile

  const soonRenew = shell.delayed(WRITING_MS, () => renew(), true);
  const controls = Object.fromEntries(FILTERS.map((name) => [name, control(name)]));
  const count = el("span", { class: "soft small", role: "status" });
  const tabs = ["runs", "logs"].map((name) =>
    el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "rows", onclick: () => look(name) }, name === "runs" ? "Runs" : "Log lines"),
  );
  const box = el("div", { class: "rows", id: "rows", role: "tabpanel", tabindex: "0" });
  const opened = el("div", { "aria-live": "polite" });
  const drawings = el("div", { class: "plots" });
  const list = rows(box, (item) => (shown.view === "runs" ? runRow(item) : lineRow(item)), (item) => item.key);
  main.replaceChildren(
    el("h1", {}, "Runs & logs"),
    drawings,
    el(
      "section",
      { class: "card", "aria-label": "What ran" },
      el(
        "form",
        { class: "filters", onsubmit: (event) => event.preventDefault() },
        ...FILTERS.map((name) => controls[name].field),
        el("button", { type: "reset", onclick: () => setTimeout(renew) }, "Show all"),
      ),
      el("div", { class: "row apart small" }, el("div", { class: "tabs", role: "tablist", "aria-label": "What is listed" }, tabs), count),
      box,
    ),
    opened,
  );

  function control(name) {
    const id = freshId(name);
    const value = shell.query.get(name) || "";
    const choices = { status: STATUSES, kind: ["command", "function"] }[name];
    const input = choices
      ? el("select", { id, onchange: renew }, el("option", { value: "" }, "any"), choices.map((one) => el("option", { value: one, selected: one === value }, one.replace("_", " "))))
      : el("input", { id, type: "search", value, autocomplete: "off", spellcheck: "false", oninput: soonRenew });
    const titles = { text: "Text", script: "Script", kind: "Kind", status: "Status", caller: "Caller" };
    return { input, field: el("label", { class: "field", for: id }, titles[name], input) };
  }

  const filter = () => Object.fromEntries(FILTERS.map((name) => [name, controls[name].input.value.trim()]).filter(([, value]) => value));
  const scriptShown = ({ kind, script }) => (kind === "command" ? `!${script}` : script);

  function runRow(run) {
    return el(
      "button",
      { type: "button", class: "line run", onclick: () => openRun(run.id) },
      el("span", { class: "clock" }, clock(run.started)),
      el("span", {}, el("span", { class: `badge ${run.status === "ok" ? "ok" : "bad"}` }, run.status.replace("_", " "))),
      el("span", {}, scriptShown(run), run.message && el("span", { class: "soft" }, ` ${run.message}`)),
      el("span", { class: "soft wide", title: run.caller }, shortId(run.caller)),
      el("span", { class: "number" }, duration(run.milliseconds)),
      el("span", { class: "number soft wide" }, bytes(run.memory_bytes)),
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

  const path = (of, more = {}) => `${of.view === "runs" ? "runs" : "lines"}?${new URLSearchParams({ ...of.filter, ...more })}`;

  function keyed(answer, of) {
    const places = new Map(); // a run's lines are told apart by their place in it
    return answer.map((item) => {
      if (of.view === "runs") return { ...item, key: item.id };
      const place = (places.get(item.run) || 0) + 1;
      places.set(item.run, place);
      return { ...item, key: `${item.run}.${place}` };
    });
  }

  function say() {
    const what = shown.view === "runs" ? "run" : "log line";
    count.textContent = items.length ? counted(items.length, what) : `No ${what}s match these filters`;
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
      opened.replaceChildren(detail(run, el("button", { type: "button", onclick: closeRun }, "Close")));
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

  function detail(run, close) {
    const facts = [
      ["Status", el("span", { class: `badge ${run.status === "ok" ? "ok" : "bad"}` }, run.status.replace("_", " "))],
      run.message && ["Error", run.message],
      ["Caller", el("code", {}, run.caller)],
      ["Began", clock(run.started)],
      ["Took", `${duration(run.milliseconds)}, of these ${duration(run.waited_milliseconds)} waiting for a worker`],
      ["Memory", bytes(run.memory_bytes)],
    ];
    return el(
      "section",
      { class: "card page" , "aria-label": `Run ${run.id}` },
      el("div", { class: "row apart" }, el("h2", { tabindex: "-1" }, `${scriptShown(run)}, run ${run.id}`), close),
      el("dl", { class: "facts" }, facts.filter(Boolean).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      el("div", {}, el("h3", {}, "Where the time went"), waterfall(run)),
      el("div", {}, el("h3", {}, "Log"), logOf(run)),
    );
  }

  function waterfall(run) {
    const whole = Math.max(run.milliseconds, 0.001);
    const bar = (name, start, length, kind = "") => {
      const piece = el("i", { class: kind });
      piece.style.left = `${Math.min(100, (100 * start) / whole)}%`;
      piece.style.width = `${Math.min(100 - (100 * start) / whole, (100 * length) / whole)}%`;
      return el("li", {}, el("code", { class: "cut", title: name }, name), el("span", { class: "track" }, piece), el("span", { class: "number" }, duration(length)));
    };
    const waited = run.waited_milliseconds;
    return el(
      "ul",
      { class: "waterfall" },
      bar("waiting", 0, waited, "waiting"),
      bar("running", waited, whole - waited),
      run.calls.map(([operation, started, length]) => bar(`goop.${operation}`, waited + started, length)),
    );
  }

  function logOf(run) {
    if (!run.log.length) return el("p", { class: "soft" }, "No log lines.");
    const lines = run.log.map(([level, text]) => el("li", {}, el("span", { class: `level-${level}` }, level), el("span", {}, text)));
    return el("ol", { class: "lines mono", tabindex: "0", "aria-label": "Log lines" }, lines, run.truncated && el("li", {}, el("span"), el("span", {}, "… the script logged more lines than are kept")));
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
  replot().catch((error) => shell.toast(`The plots: ${error.message}`, "bad"));
  shell.every(PLOT_MS, () => replot().catch(() => {}));
  if (toOpen) openRun(toOpen);
  shell.on("run", shell.delayed(REFRESH_MS, addNew));
  shell.on("gap", renew);
  shell.atEnd(() => {
    list.close();
    drawn.then((one) => one.close(), () => {});
  });
}
