// Scripts: the list with its states, the editor, and trying a script out as anybody.
import { freshId } from "../shell/dom.js";
import { dialog } from "../shell/dialogs.js";
import { bytes, duration } from "../shell/format.js";

const shown = ({ kind, name }) => (kind === "command" ? `!${name}` : name);
const same = (one, other) => one && other && one.kind === other.kind && one.name === other.name;

export async function show(main, shell) {
  const { el } = shell;
  const [{ edit }, functions, first] = await Promise.all([import("../vendor/editor.js"), shell.get("scripts/table"), shell.get("scripts")]);
  let listing = first;
  let open = null; // {kind, name, version, saved}
  let editor = null;
  let gone = false;

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
    save.disabled = !dirty();
    state.className = `wrap small ${fault ? "level-error" : "soft"}`;
    const line = fault && (fault.line ? `Line ${fault.line}: ${fault.message}` : fault.message);
    const told = fault ? [line, one.older_runs ? ". The last version that compiled goes on answering." : ". No version of it has compiled, so it does not answer."] : [];
    const where = fault && fault.line ? [" ", el("button", { type: "button", class: "link", onclick: () => editor.goto(fault.line) }, "Show the line")] : [];
    state.replaceChildren(...(dirty() ? ["Not saved. ", ...told] : fault ? [...told, ...where] : ["Saved, and live."]));
    shell.guard(dirty() ? () => shell.confirm(`Leave ${shown(open)} without saving?`, "Leave") : null);
  }

  async function choose(which) {
    if (dirty() && !(await shell.confirm(`Leave ${shown(open)} without saving?`, "Leave"))) return;
    try {
      const file = await shell.post("scripts/read", { kind: which.kind, name: which.name });
      if (gone) return;
      open = { kind: which.kind, name: which.name, version: file.version, saved: file.text };
      shell.note({ kind: which.kind, name: which.name });
      title.textContent = shown(open);
      if (editor) editor.destroy();
      editor = edit(place, { text: file.text, functions, label: `Source of ${shown(open)}`, changed: paintState, save: store });
      work.hidden = trial.hidden = false;
      paintList();
      paintState();
      paintTrial();
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  async function store() {
    if (!dirty()) return;
    const which = open;
    const text = editor.text();
    try {
      const answer = await shell.post("scripts/save", { kind: which.kind, name: which.name, text, version: which.version });
      which.version = answer.version;
      which.saved = text;
      shell.toast(answer.fault ? `Saved, but it does not compile${answer.older_runs ? ": the older version runs on" : ""}.` : "Saved, and live.", answer.fault ? "bad" : "good");
    } catch (error) {
      if (error.status !== 409) return shell.toast(error.message, "bad");
      if (await shell.confirm(`${error.message}. Take over what is in the file now, and lose what you wrote here?`, "Take over")) return choose(which, (open.saved = editor.text()));
      which.version = error.body.version; // the next save puts ours in its place
      which.saved = error.body.text;
    }
    await renew();
  }

  async function renew() {
    listing = await shell.get("scripts");
    if (gone) return;
    paintList();
    if (open && editor) paintState();
  }

  async function asked(question, value, agree) {
    const id = freshId("name");
    const input = el("input", { id, value, required: true, pattern: "[A-Za-z0-9_\\-]{1,64}", title: "1 to 64 letters, digits, - and _", autocomplete: "off", spellcheck: "false" });
    const buttons = el("p", { class: "row end" }, el("button", { value: "yes", class: "main" }, agree), el("button", { value: "", formnovalidate: true }, "Cancel"));
    const answer = dialog(question, el("label", { class: "field", for: id }, "Name", input), buttons);
    input.select();
    return (await answer) === "yes" ? input.value.trim() : "";
  }

  async function doing(work) {
    try {
      await work();
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  const create = (kind) => doing(async () => {
    const name = await asked(kind === "command" ? "A new chat command" : "A new data function", "", "Make it");
    if (!name) return;
    await shell.post("scripts/create", { kind, name });
    await renew();
    await choose({ kind, name });
  });

  function rename() {
    return doing(async () => {
      const name = await asked(`A new name for ${shown(open)}`, open.name, "Rename");
      if (!name || name === open.name) return;
      if (dirty()) return shell.toast("Save it first.", "bad");
      await shell.post("scripts/rename", { kind: open.kind, name: open.name, new_name: name });
      const which = { kind: open.kind, name };
      await renew();
      await choose(which);
    });
  }

  function remove() {
    return doing(async () => {
      if (!(await shell.confirm(`Delete ${shown(open)}? Its file goes; what it kept stays.`, "Delete"))) return;
      await shell.post("scripts/delete", { kind: open.kind, name: open.name, version: open.version });
      editor.destroy();
      open = editor = null;
      work.hidden = trial.hidden = true;
      shell.guard(null);
      shell.note({});
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
    const which = { kind: open.kind, name: open.name };
    async function run(event) {
      event.preventDefault();
      go.disabled = true;
      try {
        const as = caller.value.trim() ? { id: caller.value.trim(), label: label.value, email: email.value } : null;
        out.replaceChildren(...outcome(await shell.post("scripts/try", { ...which, argument: argument.value, caller: as })));
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
        el("label", { class: "field", for: ids.email }, "E-mail", email), go),
      dirtyNote()), out);
  }

  const dirtyNote = () => el("p", { class: "small soft" }, "What is saved is run. The owner's calls are not limited; anybody else's count for the limits.");

  function outcome({ reply, result, failure, run }) {
    const said = failure && !reply
      ? el("pre", { class: "level-error wrap" }, `${failure.code}: ${failure.message}`)
      : el("pre", { class: "wrap" }, reply !== undefined ? reply || "(no reply)" : JSON.stringify(result, null, 2));
    const lines = run ? run.log.map(([level, text]) => el("div", { class: "mono small wrap" }, el("span", { class: `level-${level}` }, level), " ", text)) : [];
    const calls = run ? run.calls.map(([operation, began, took]) => el("tr", {}, el("td", { class: "mono" }, operation), el("td", { class: "number" }, duration(began)), el("td", { class: "number" }, duration(took)))) : [];
    return [
      said,
      run && el("p", { class: "small soft" }, `${duration(run.milliseconds)}, of which ${duration(run.waited_milliseconds)} waiting; ${bytes(run.memory_bytes)} of memory. `,
        el("a", { href: `#/runs?script=${run.script}` }, "Its runs")),
      lines.length > 0 && el("div", {}, el("h3", { class: "small" }, "Log lines"), lines),
      calls.length > 0 && el("table", {}, el("thead", {}, el("tr", {}, ["Host call", "at", "took"].map((text, place) => el("th", { class: place ? "number" : null }, text)))), el("tbody", {}, calls)),
    ].filter(Boolean);
  }

  const end = shell.on("script", () => doing(renew));
  paintList();
  const wanted = { kind: shell.query.get("kind"), name: shell.query.get("name") };
  const named = listing.scripts.find((one) => one.path === shell.query.get("path"));
  if (named) await choose(named);
  else if (entry(wanted)) await choose(wanted);
  else if (listing.scripts.length && matchMedia("(min-width: 60rem)").matches) await choose(listing.scripts[0]);
  return () => {
    gone = true;
    end();
    shell.guard(null);
    if (editor) editor.destroy();
  };
}
