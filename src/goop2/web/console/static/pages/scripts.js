// Scripts: the list with its states, the editor, and trying a script out as anybody.
import { freshId } from "../shell/dom.js";
import { post } from "../shell/api.js";
import { bytes, duration } from "../shell/format.js";
import { toast } from "../shell/toasts.js";

const unsaved = new Map(); // key → text of a script whose save was refused after it was left
const saving = new Map(); // key → promise of a save that is on its way
const shown = ({ kind, name }) => (kind === "command" ? `!${name}` : name);
const keyOf = ({ kind, name }) => `${kind}/${name}`;
const same = (one, other) => one && other && one.kind === other.kind && one.name === other.name;

export async function show(main, shell) {
  const { el } = shell;
  const [{ edit }, functions, first] = await Promise.all([shell.whileShown(import("../vendor/editor.js")), shell.get("scripts/table"), shell.get("scripts")]);
  let listing = first;
  let open = null; // {kind, name, version, saved, sent: text that is on its way to be saved, or null}
  let editor = null;

  const list = el("nav", { class: "script-list", "aria-label": "Scripts" });
  const warnings = el("div", {});
  const title = el("h2", { class: "mono", id: freshId("script") });
  const state = el("p", { class: "wrap small", role: "status" });
  const place = el("div", { class: "editor" });
  const save = el("button", { type: "button", class: "main", onclick: () => store() }, "Save");
  const tools = el("div", { class: "row" }, el("button", { type: "button", onclick: rename }, "Rename"), el("button", { type: "button", onclick: remove }, "Delete"), save);
  const trial = el("section", { class: "card", "aria-label": "Try it", hidden: true });
  const work = el("section", { class: "card script-work", hidden: true }, el("div", { class: "row apart" }, title, tools), place,
    el("div", { class: "row apart" }, state, el("p", { class: "small soft keys" }, el("kbd", {}, "Ctrl S"), " saves ", el("kbd", {}, "Ctrl Space"), " completes ", el("kbd", {}, "Esc Tab"), " leaves")));

  main.replaceChildren(
    el("div", { class: "row apart" }, el("h1", {}, "Scripts"), el("div", { class: "row" },
      el("button", { type: "button", onclick: () => create("command") }, "New command"),
      el("button", { type: "button", onclick: () => create("function") }, "New function"))),
    el("div", { class: "scripts" }, el("section", { class: "card" }, list, warnings), el("div", { class: "page" }, work, trial)),
  );

  const dirty = () => open && editor && editor.text() !== open.saved;
  const unsent = () => dirty() && editor.text() !== open.sent; // no save of this text is on its way
  const entry = (which) => listing.scripts.find((one) => same(one, which));

  function paintList() {
    const group = (kind, name) => {
      const scripts = listing.scripts.filter((one) => one.kind === kind);
      return [
        el("h2", { class: "small" }, name),
        scripts.length
          ? el("ul", {}, scripts.map((one) => el("li", {}, el("a", {
              href: `#/scripts?kind=${one.kind}&name=${one.name}`, "aria-current": same(one, open) ? "true" : null, title: one.description || null,
              onclick: (event) => { event.preventDefault(); choose(one); } },
              el("span", { class: "mono" }, shown(one)),
              one.state === "broken" && el("span", { class: "badge bad" }, one.fault && one.fault.line ? `line ${one.fault.line}` : "broken"),
              one.older_runs && el("span", { class: "badge warn" }, "older version runs")))))
          : el("p", { class: "soft small" }, `None yet, in ${listing.folder}${kind === "function" ? "/functions" : ""}.`),
      ];
    };
    list.replaceChildren(...group("command", "Chat commands"), ...group("function", "Data functions"));
    const all = [...listing.warnings, ...listing.scripts.flatMap((one) => one.warnings)];
    warnings.replaceChildren(...all.map((text) => el("p", { class: "small level-warn wrap" }, text)));
  }

  function paintState() {
    const one = entry(open);
    const fault = one && one.fault;
    editor.fault(fault && !dirty() ? fault : null);
    save.disabled = !unsent();
    state.className = `wrap small ${fault ? "level-error" : "soft"}`;
    const line = fault && (fault.line ? `Line ${fault.line}: ${fault.message}` : fault.message);
    const explanation = fault ? [line, one.older_runs ? ". The last version that compiled keeps running." : ". No version has compiled yet, so it does not run."] : [];
    const where = fault && fault.line ? [" ", el("button", { type: "button", class: "link", onclick: () => editor.goto(fault.line) }, "Show the line")] : [];
    state.replaceChildren(...(unsent() ? ["Not saved. ", ...explanation] : dirty() ? ["Saving… "] : fault ? [...explanation, ...where] : ["Saved and live."]));
    shell.guard(dirty() ? mayLeave : null);
  }

  async function mayLeave() {
    return !unsent() || shell.confirm(`Leave ${shown(open)} without saving?`, "Leave");
  }

  const choosing = shell.choices();
  async function choose(which) {
    const isChosen = choosing();
    if (!(await mayLeave()) || !isChosen()) return;
    const left = editor && editor.text();
    try {
      await shell.whileShown(Promise.resolve(saving.get(keyOf(which)))); // its answer has the version that the next save replaces
      const file = await shell.read("scripts/read", { kind: which.kind, name: which.name });
      if (!isChosen()) return;
      const isAsBefore = !editor || editor.text() === left; // else the text was changed meanwhile
      if (!isAsBefore && (!(await mayLeave()) || !isChosen())) return;
      show({ kind: which.kind, name: which.name, version: file.version, saved: file.text, sent: null });
    } catch (error) {
      if (isChosen()) shell.toast(error.message, "bad");
    }
  }

  function show(script) {
    const before = open;
    open = script;
    shell.note({ kind: open.kind, name: open.name });
    title.textContent = shown(open);
    if (editor) editor.destroy();
    editor = edit(place, { text: unsaved.get(keyOf(open)) ?? open.saved, functions, label: `Source of ${shown(open)}`, changed: paintState, save: store });
    unsaved.delete(keyOf(open));
    work.hidden = trial.hidden = false;
    paintList();
    paintState();
    if (!same(before, open)) paintTrial();
  }

  // One save at a time: a save asked for meanwhile is done after it, as the next version.
  let again = false;
  async function store() {
    if (!unsent()) return;
    again = open.sent !== null;
    if (again) return;
    const which = open;
    const text = editor.text();
    which.sent = text;
    paintState();
    try {
      // A refusal is shown also when another page is open by then, and the text is kept.
      const answered = post("scripts/save", { kind: which.kind, name: which.name, text, version: which.version });
      saving.set(keyOf(which), answered.catch(() => {}));
      const answer = await answered.finally(() => saving.delete(keyOf(which)));
      Object.assign(which, { version: answer.version, saved: text, sent: null });
      if (isOpen(which)) toast(answer.fault ? `Saved, but it does not compile${answer.older_runs ? ": the older version keeps running" : ""}.` : "Saved and live.", answer.fault ? "bad" : "good");
    } catch (error) {
      which.sent = null;
      again = false;
      if (!isOpen(which)) return keepUnsaved(which, text, error);
      paintState();
      if (error.status !== 409) return toast(error.message, "bad");
      const takeOver = await shell.confirm(`${error.message}. Load the file and lose what you wrote here?`, "Load the file");
      Object.assign(which, { version: error.body.version, saved: error.body.text }); // the next save puts ours in its place
      if (takeOver) show({ ...which });
    }
    if (!shownNow) return;
    if (again && isOpen(which)) store();
    again = false;
    doing(renew);
  }

  let shownNow = true;
  const isOpen = (which) => shownNow && which === open;
  shell.atEnd(() => { shownNow = false; });

  function keepUnsaved(which, text, error) {
    unsaved.set(keyOf(which), text);
    toast(`${shown(which)} is not saved: ${error.message}. Your text is kept: open the script again.`, "bad");
  }

  const asking = shell.renewals();
  async function renew() {
    const isNews = asking();
    const next = await shell.get("scripts");
    if (!isNews()) return;
    listing = next;
    paintList();
    if (open && editor) paintState();
  }

  function asked(question, value, agree, does) {
    const id = freshId("name");
    const input = el("input", { id, value, required: true, pattern: "[A-Za-z0-9_\\-]{1,64}", title: "1 to 64 letters, digits, - and _", autocomplete: "off", spellcheck: "false" });
    const done = shell.asking(question, el("label", { class: "field", for: id }, "Name", input), agree, () => does(input.value.trim()));
    input.select();
    return done;
  }

  async function doing(work) {
    try {
      await work();
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  const create = (kind) => asked(kind === "command" ? "A new chat command" : "A new data function", "", "Create", async (name) => {
    await shell.post("scripts/create", { kind, name });
    choose({ kind, name });
    doing(renew);
  });

  function rename() {
    if (dirty()) return shell.toast("Save it first.", "bad");
    const which = open;
    return asked(`A new name for ${shown(which)}`, which.name, "Rename", async (name) => {
      if (name === which.name) return;
      await shell.post("scripts/rename", { kind: which.kind, name: which.name, new_name: name });
      which.name = name;
      if (which === open) {
        shell.note({ kind: which.kind, name });
        title.textContent = shown(which);
      }
      doing(renew);
    });
  }

  function remove() {
    return doing(async () => {
      const which = open;
      if (!(await shell.confirm(`Delete ${shown(which)}? Its file is deleted; data it has saved stays.`, "Delete"))) return;
      await shell.post("scripts/delete", { kind: which.kind, name: which.name, version: which.version });
      if (which === open) {
        choosing(); // an answer for the deleted script comes too late
        editor.destroy();
        open = editor = null;
        work.hidden = trial.hidden = true;
        shell.guard(null);
        shell.note({});
      }
      await renew();
    });
  }

  function paintTrial() {
    const ids = { argument: freshId("argument"), caller: freshId("caller"), label: freshId("label"), email: freshId("email") };
    const command = open.kind === "command";
    const argument = el("textarea", { id: ids.argument, rows: command ? 1 : 3, spellcheck: "false", class: "mono", value: command ? "" : "{}" });
    const caller = el("input", { id: ids.caller, placeholder: "the owner", autocomplete: "off", spellcheck: "false" });
    const label = el("input", { id: ids.label, autocomplete: "off" });
    const email = el("input", { id: ids.email, autocomplete: "off", inputmode: "email" });
    const out = el("div", { "aria-live": "polite" });
    const go = el("button", { type: "submit", class: "main" }, "Run it");
    async function run(event) {
      event.preventDefault();
      go.disabled = true;
      try {
        const as = caller.value.trim() ? { id: caller.value.trim(), label: label.value, email: email.value } : null;
        const { kind, name } = open; // as it is called now
        out.replaceChildren(...outcome(await shell.post("scripts/try", { kind, name, argument: argument.value, caller: as })));
      } catch (error) {
        out.replaceChildren(el("p", { class: "level-error" }, error.message));
      }
      go.disabled = false;
    }
    trial.replaceChildren(el("h2", {}, "Try it"), el("form", { class: "trial", onsubmit: run },
      el("label", { class: "field grow", for: ids.argument }, command ? "Arguments" : "Parameters, as JSON", argument),
      el("div", { class: "filters" },
        el("label", { class: "field", for: ids.caller }, "As the caller with the id", caller),
        el("label", { class: "field", for: ids.label }, "Label", label),
        el("label", { class: "field", for: ids.email }, "E-mail, as callers claim it", email), go),
      dirtyNote()), out);
  }

  // What an earlier run was called with and by whom, to be changed and run.
  async function fillTrial(id) {
    const run = await shell.get(`runs/${encodeURIComponent(id)}`);
    const [argument, caller, label] = trial.querySelectorAll("textarea, input");
    argument.value = run.argument;
    if (run.caller_kind !== "owner") [caller.value, label.value] = [run.caller, run.caller_label === run.caller ? "" : run.caller_label];
    trial.scrollIntoView({ block: "nearest" });
    argument.focus();
    if (run.again) shell.toast(`Not all of it: ${run.again}.`, "bad");
  }

  const dirtyNote = () => el("p", { class: "small soft" }, "Runs the saved version. Calls as the owner are not limited; calls as anybody else count towards the limits.");

  function outcome({ reply, result, failure, run }) {
    const said = failure && !reply
      ? el("pre", { class: "level-error wrap" }, `${failure.code}: ${failure.message}`)
      : el("pre", { class: "wrap" }, reply !== undefined ? reply || "(no reply)" : JSON.stringify(result, null, 2));
    const lines = run ? run.log.map(([level, text]) => el("div", { class: "mono small wrap" }, el("span", { class: `level-${level}` }, level), " ", text)) : [];
    const calls = run ? run.calls.map(([operation, began, took]) => el("tr", {}, el("td", { class: "mono" }, operation), el("td", { class: "number" }, duration(began)), el("td", { class: "number" }, duration(took)))) : [];
    return [
      said,
      run && el("p", { class: "small soft" }, `${duration(run.milliseconds)}, of which ${duration(run.waited_milliseconds)} waiting; ${bytes(run.memory_bytes)} of memory. `,
        el("a", { href: `#/runs/${run.id}` }, `Run ${run.id}`), " ", el("a", { href: `#/runs?script=${run.script}` }, "All its runs")),
      lines.length > 0 && el("div", {}, el("h3", { class: "small" }, "Log lines"), lines),
      calls.length > 0 && el("table", {}, el("thead", {}, el("tr", {}, ["Host call", "at", "took"].map((text, place) => el("th", { class: place ? "number" : null }, text)))), el("tbody", {}, calls)),
    ].filter(Boolean);
  }

  shell.on("script", () => doing(renew));
  paintList();
  const wanted = { kind: shell.query.get("kind"), name: shell.query.get("name") };
  const [line, earlier] = [Number(shell.query.get("line")), shell.query.get("run")];
  const named = listing.scripts.find((one) => one.path === shell.query.get("path"));
  if (named) await choose(named);
  else if (entry(wanted)) {
    await choose(wanted);
    if (line && editor) editor.goto(line);
    if (earlier) await doing(() => fillTrial(earlier));
  } else if (wanted.name) shell.toast(`There is no script ${wanted.name} any more.`, "bad");
  else if (listing.scripts.length && matchMedia("(min-width: 60rem)").matches) await choose(listing.scripts[0]);
}
