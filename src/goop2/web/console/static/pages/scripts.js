// Scripts: the list with its states, the editor with checks and versions, and trying a script out as anybody.
import { freshId } from "../shell/dom.js";
import { post } from "../shell/api.js";
import { filteredList } from "../shell/lists.js";
import { many, mix, t } from "../shell/text.js";
import { toast } from "../shell/toasts.js";
import { testRuns } from "../shell/tests.js";
import { trialOf } from "../shell/trial.js";
import { chooseVersion } from "../shell/versions.js";

const CHECK_MS = 300; // after the last key
const CALM_MS = 200; // many scripts may change at once
const HINTS_MAX = 8; // named below the editor; all are marked in it
const unsaved = new Map(); // key → text of a script whose save was refused after it was left
const saving = new Map(); // key → promise of a save that is on its way
const SHOWN = { command: (name) => `!${name}`, function: (name) => name, library: (name) => `lib/${name}` };
const ASKED = { command: t("A new chat command"), function: t("A new data function"), library: t("New shared code") };
const KINDS = { command: t("chat command"), function: t("data function"), library: t("shared code") };
const shown = ({ kind, name }) => (SHOWN[kind] || SHOWN.function)(name);
const keyOf = ({ kind, name }) => `${kind}/${name}`;
const same = (one, other) => one && other && one.kind === other.kind && one.name === other.name;

export async function show(main, shell) {
  const { el } = shell;
  const [{ edit }, functions, first] = await Promise.all([shell.whileShown(import("../vendor/editor.js")), shell.get("scripts/table"), shell.get("scripts")]);
  let listing = first;
  let open = null; // {kind, name, version, saved, sent: text that is on its way to be saved, or null}
  let editor = null;
  let trial = null;
  let tables = []; // of the site, for completion
  const renewTables = () => shell.get("scripts/columns").then((next) => { tables = next; }, () => {});

  const list = filteredList({
    label: t("Find a script"), keyOf, text: (one) => `${shown(one)} ${one.description}`, make: entryLine,
    none: t`None yet, in ${listing.folder}.`,
  });
  const warnings = el("div", {});
  const title = el("h2", { class: "mono wrap", id: freshId("script") });
  const state = el("p", { class: "wrap small", role: "status" });
  const hints = el("ul", { class: "hints small" });
  const place = el("div", { class: "editor", tabindex: "-1", onkeydown: (event) => { if (event.target === place && event.key === "Enter") { event.preventDefault(); editor.focus(); } } });
  const save = el("button", { type: "button", class: "main", onclick: () => store() }, t("Save"));
  const tools = el("div", { class: "row" }, el("button", { type: "button", onclick: versions }, t("Versions")), el("button", { type: "button", onclick: rename }, t("Rename")), el("button", { type: "button", onclick: remove }, t("Delete")), save);
  const tryIt = el("section", { class: "card try-it", "aria-label": t("Try it"), hidden: true });
  const keys = [["Ctrl S", t("saves")], ["Ctrl Enter", t("saves and runs")], ["Ctrl Space", t("completes")], ["Esc", t("leaves")]];
  const work = el("section", { class: "card script-work", hidden: true }, el("div", { class: "row apart" }, title, tools), place,
    state, hints, el("p", { class: "small soft keys" }, keys.map(([key, does]) => el("span", {}, el("kbd", {}, key), ` ${does}`))));
  const none = el("section", { class: "card problem", hidden: true, role: "alert" });

  const tests = testRuns(shell);
  const testButton = tests.button;
  main.replaceChildren(
    el("div", { class: "row apart" }, el("h1", {}, t("Scripts")), el("div", { class: "row" },
      testButton,
      el("button", { type: "button", onclick: () => create("command") }, t("New command")),
      el("button", { type: "button", onclick: () => create("function") }, t("New function")),
      el("button", { type: "button", onclick: () => create("library") }, t("New shared code")))),
    tests.element,
    el("div", { class: "workbench" }, el("section", { class: "card" }, el("nav", { class: "script-list", "aria-label": t("Scripts") }, list.element), warnings), el("div", { class: "page" }, none, work), tryIt),
  );

  const dirty = () => open && editor && editor.text() !== open.saved;
  const unsent = () => dirty() && editor.text() !== open.sent; // no save of this text is on its way
  const entry = (which) => listing.scripts.find((one) => same(one, which));

  function entryLine(one) {
    return el("li", {}, el("a", {
      href: `#/scripts?kind=${one.kind}&name=${one.name}`, "aria-current": same(one, open) ? "true" : null, title: one.description || null,
      onclick: (event) => { event.preventDefault(); choose(one); } },
      el("span", { class: "mono" }, shown(one)),
      one.state === "broken" && el("span", { class: "badge bad" }, one.fault && one.fault.line ? t`line ${one.fault.line}` : t("broken")),
      one.older_runs && el("span", { class: "badge warn" }, t("older version runs"))));
  }

  function paintList() {
    list.set(listing.scripts);
    const all = [...listing.warnings, ...listing.scripts.flatMap((one) => one.warnings)];
    warnings.replaceChildren(...all.map((text) => el("p", { class: "small level-warn wrap" }, text)));
  }

  function paintState() {
    const one = entry(open);
    const fault = one && one.fault;
    editor.fault(fault && !dirty() ? fault : null);
    save.disabled = !unsent();
    state.className = `wrap small ${fault ? "level-error" : "soft"}`;
    const line = fault && (fault.line ? t`Line ${fault.line}: ${fault.message}` : fault.message);
    const explanation = fault ? [`${line}. `, one.older_runs ? t("The last version that compiled keeps running.") : t("No version has compiled yet, so it does not run.")] : [];
    const where = fault && fault.line ? [" ", el("button", { type: "button", class: "link", onclick: () => editor.goto(fault.line) }, t("Show the line"))] : [];
    state.replaceChildren(...(unsent() ? [t("Not saved."), " ", ...explanation] : dirty() ? [t("Saving…"), " "] : fault ? [...explanation, ...where] : [t("Saved and live.")]));
    shell.guard(dirty() ? mayLeave : null);
  }

  // What is odd about the text as it is written now; an answer about an earlier text marks nothing.
  const checkSoon = shell.delayed(CHECK_MS, check, true);
  async function check() {
    if (!editor) return;
    const [which, text] = [open, editor.text()];
    const { findings } = await shell.read("scripts/check", { kind: which.kind, name: which.name, text }).catch(() => ({ findings: null }));
    if (!findings || which !== open || editor.text() !== text) return;
    editor.findings(findings);
    const odd = findings.filter(({ severity }) => severity === "warning");
    hints.replaceChildren(...odd.slice(0, HINTS_MAX).map(({ line, message }) =>
      el("li", {}, el("button", { type: "button", class: "link", onclick: () => editor.goto(line) }, t`Line ${line}`), el("span", { class: "wrap" }, ` ${message}`))),
      ...(odd.length > HINTS_MAX ? [el("li", { class: "soft" }, many(odd.length - HINTS_MAX, "{0} more hint in the text", "{0} more hints in the text"))] : []));
  }

  function changed() {
    paintState();
    checkSoon();
  }

  async function mayLeave() {
    return !unsent() || shell.confirm(t`Leave ${shown(open)} without saving?`, t("Leave"));
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
    editor = edit(place, {
      text: unsaved.get(keyOf(open)) ?? open.saved, functions, tables: () => tables, label: t`Source of ${shown(open)}`, changed, save: store, run: () => (open.kind === "library" ? store() : trial.run()),
    });
    unsaved.delete(keyOf(open));
    hints.replaceChildren();
    work.hidden = false;
    tryIt.hidden = open.kind === "library"; // a script that uses it can be tried
    none.hidden = true;
    paintList();
    list.reveal(keyOf(open));
    paintState();
    check();
    if (same(before, open)) trial.renew(open);
    else {
      trial = trialOf(shell, open, saveFirst);
      tryIt.replaceChildren(trial.element);
    }
  }

  // Whether what stands in the editor is saved, and compiles, when its promise comes back.
  async function saveFirst() {
    const which = open;
    while (which === open && dirty()) {
      if (open.sent !== null) await saving.get(keyOf(open));
      else if (!(await store())) return false;
    }
    return which === open && !entry(open)?.fault;
  }

  // One save at a time: a save asked for meanwhile is done after it, as the next version. Promise of whether it was done and compiles.
  let again = false;
  async function store() {
    if (!unsent()) return true;
    again = open.sent !== null;
    if (again) return true;
    const which = open;
    const text = editor.text();
    which.sent = text;
    paintState();
    let compiles = false;
    try {
      // A refusal is shown also when another page is open by then, and the text is kept.
      const answered = post("scripts/save", { kind: which.kind, name: which.name, text, version: which.version });
      saving.set(keyOf(which), answered.catch(() => {}));
      const answer = await answered.finally(() => saving.delete(keyOf(which)));
      Object.assign(which, { version: answer.version, saved: text, sent: null });
      compiles = !answer.fault;
      if (isOpen(which)) toast(answer.fault ? answer.older_runs ? t("Saved, but it does not compile: the older version keeps running.") : t("Saved, but it does not compile.") : t("Saved and live."), answer.fault ? "bad" : "good");
    } catch (error) {
      which.sent = null;
      again = false;
      if (!isOpen(which)) {
        keepUnsaved(which, text, error);
        return false;
      }
      paintState();
      if (error.status !== 409) {
        toast(error.message, "bad");
        return false;
      }
      const takeOver = await shell.confirm(t`${error.message}. Load the file and lose what you wrote here?`, t("Load the file"));
      Object.assign(which, { version: error.body.version, saved: error.body.text }); // the next save puts ours in its place
      if (takeOver) show({ ...which });
    }
    if (!shownNow) return compiles;
    if (again && isOpen(which)) store();
    again = false;
    await doing(renew);
    return compiles;
  }

  let shownNow = true;
  const isOpen = (which) => shownNow && which === open;
  shell.atEnd(() => { shownNow = false; });

  function keepUnsaved(which, text, error) {
    unsaved.set(keyOf(which), text);
    toast(t`${shown(which)} is not saved: ${error.message}. Your text is kept: open the script again.`, "bad");
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

  async function versions() {
    const which = open;
    await doing(async () => {
      const text = await chooseVersion(shell, { kind: which.kind, name: which.name }, shown(which), editor.text());
      if (text === null || which !== open) return;
      editor.replace(text); // Ctrl+Z takes it back
      await store();
    });
  }

  function asked(question, value, agree, does) {
    const id = freshId("name");
    const input = el("input", { id, value, required: true, pattern: "[A-Za-z0-9_\\-]{1,64}", title: t("1 to 64 letters, digits, - and _"), autocomplete: "off", spellcheck: "false" });
    const done = shell.asking(question, el("label", { class: "field", for: id }, t("Name"), input), agree, () => does(input.value.trim()));
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

  const create = (kind) => asked(ASKED[kind], "", t("Create"), async (name) => {
    await shell.post("scripts/create", { kind, name });
    choose({ kind, name });
    doing(renew);
  });

  function rename() {
    if (dirty()) return shell.toast(t("Save it first."), "bad");
    const which = open;
    return asked(t`A new name for ${shown(which)}`, which.name, t("Rename"), async (name) => {
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
      if (!(await shell.confirm(t`Delete ${shown(which)}? Its file is deleted; data it has saved stays.`, t("Delete")))) return;
      await shell.post("scripts/delete", { kind: which.kind, name: which.name, version: which.version });
      if (which === open) {
        choosing(); // an answer for the deleted script comes too late
        editor.destroy();
        open = editor = null;
        work.hidden = tryIt.hidden = true;
        shell.guard(null);
        shell.note({});
      }
      await renew();
    });
  }

  // What an earlier run was called with and by whom, to be changed and run.
  async function fillTrial(id) {
    const [run, into] = [await shell.get(`runs/${encodeURIComponent(id)}`), trial];
    if (into !== trial) return;
    trial.fill(run);
    if (run.again) shell.toast(t`Not all of it: ${run.again}.`, "bad");
  }

  function missing({ kind, name }) {
    none.hidden = false;
    none.replaceChildren(el("h2", {}, t("There is no such script")), el("p", { class: "wrap" }, mix("The peer has no {0} {1}. It was renamed or deleted, or the address is mistyped.", KINDS[kind] || KINDS.command, el("code", {}, shown({ kind, name })))));
  }

  shell.on("script", shell.delayed(CALM_MS, () => doing(renew)));
  shell.on("gap", () => doing(renew));
  paintList();
  renewTables();
  const wanted = { kind: shell.query.get("kind"), name: shell.query.get("name") };
  const [line, earlier] = [Number(shell.query.get("line")), shell.query.get("run")];
  const named = listing.scripts.find((one) => one.path === shell.query.get("path"));
  if (named) await choose(named);
  else if (entry(wanted)) {
    await choose(wanted);
    if (line && editor) editor.goto(line);
    if (earlier) await doing(() => fillTrial(earlier));
  } else if (wanted.name) missing(wanted);
  else if (listing.scripts.length && matchMedia("(min-width: 60rem)").matches) await choose(listing.scripts[0]);
}
