// Settings: goop.json, each setting with its meaning, its bounds and its default; all changes are saved, or none.
import { freshId } from "../shell/dom.js";
import { counted } from "../shell/format.js";

const TITLES = { lua: "Scripts", profile: "You", viewer: "Web", p2p: "Network", presence: "Beyond the local network", listen: "Listening" };

export async function show(main, shell) {
  const { el } = shell;
  let page = await shell.get("settings");
  let controls = [];
  const save = el("button", { type: "submit", class: "main", disabled: true }, "Save");
  const undo = el("button", { type: "button", disabled: true, onclick: () => paint(page) }, "Undo");
  let saving = false;
  const state = el("p", { class: "wrap", role: "status" });

  function paint(next) {
    page = next;
    controls = page.settings.map(controlFor);
    const bySection = Object.keys(page.sections).map((section) =>
      el(
        "section",
        { class: "card" },
        el("h2", {}, TITLES[section] || section),
        controls.filter((one) => one.setting.section === section).map((one) => one.row),
      ),
    );
    main.replaceChildren(
      el("h1", {}, "Settings"),
      el("p", { class: "soft" }, `Settings are in goop.json and are read when the peer starts. Saving keeps the previous file as ${page.backup}.`),
      el("form", { class: "page", onsubmit: send }, ...bySection, el("div", { class: "foot row apart" }, state, el("div", { class: "row" }, undo, save))),
    );
    look();
  }

  function controlFor(setting) {
    const id = freshId("setting");
    const about = `${id}-about`;
    const common = { id, "aria-describedby": about, oninput: () => look(), disabled: setting.overridden };
    const value = setting.value;
    let input;
    let read;
    let write = (now) => { input.value = now === null ? "" : String(now); };
    if (setting.kind === "switch") {
      input = el("select", common, [["", `default (${setting.default})`], ["true", "on"], ["false", "off"]].map(([name, text]) =>
        el("option", { value: name, selected: name === (value === null ? "" : String(value)) }, text)));
      read = () => (input.value === "" ? null : input.value === "true");
    } else if (setting.kind === "switch or list") {
      const shown = (now) => (Array.isArray(now) ? now.join("\n") : now === null ? "" : now ? "on" : "off");
      input = el("textarea", { ...common, rows: 2, value: shown(value), placeholder: "on, off, or one a line", spellcheck: "false" });
      write = (now) => { input.value = shown(now); };
      read = () => {
        const lines = input.value.split("\n").map((line) => line.trim()).filter(Boolean);
        const word = lines.length === 1 ? { on: true, off: false, true: true, false: false }[lines[0].toLowerCase()] : undefined;
        return word ?? (lines.length ? lines : null);
      };
    } else if (setting.kind === "list") {
      input = el("textarea", { ...common, value: (value || []).join("\n"), placeholder: "one a line", spellcheck: "false" });
      write = (now) => { input.value = (now || []).join("\n"); };
      read = () => {
        const lines = input.value.split("\n").map((line) => line.trim()).filter(Boolean);
        return lines.length ? lines : null;
      };
    } else {
      const text = value === null ? "" : String(value);
      input = el("input", { ...common, value: text, placeholder: setting.default.replaceAll('"', ""), autocomplete: "off", spellcheck: "false", inputmode: setting.kind === "number" ? "decimal" : null });
      read = () => {
        const written = input.value.trim();
        if (written === "") return null;
        return setting.kind === "number" && Number.isFinite(Number(written)) ? Number(written) : written;
      };
    }
    const notes = el("span");
    const row = el(
      "div",
      { class: "setting" },
      el("div", { class: "say" }, el("label", { for: id }, setting.path), " ", notes),
      el("p", { class: "say small soft", id: about }, setting.doc.replaceAll("`", "")),
      el("div", { class: "control" }, input, el("p", { class: "small soft wrap" }, `${setting.allowed}. Default: ${setting.default}`)),
    );
    const control = { setting, row, read, write, saved: "", changed: () => JSON.stringify(read()) !== control.saved };
    control.take = ({ value, overridden, variable, waits }) => {
      const isEmpty = value === "" || (Array.isArray(value) && !value.length);
      control.saved = JSON.stringify(isEmpty ? null : value);
      notes.replaceChildren(...[
        overridden && el("span", { class: "badge warn" }, `set by ${variable}`),
        waits && el("span", { class: "badge warn" }, "waits for a restart"),
      ].filter(Boolean));
    };
    control.take(setting);
    return control;
  }

  function look() {
    const changed = controls.filter((one) => one.changed());
    controls.forEach((one) => one.row.classList.toggle("changed", changed.includes(one)));
    save.disabled = !changed.length;
    undo.disabled = !changed.length || saving;
    const waiting = page.settings.filter((one) => one.waits).length;
    state.textContent = changed.length
      ? `${counted(changed.length, "change")} not saved. Changes take effect after a restart.`
      : waiting ? `Saved. ${counted(waiting, "change")} ${waiting === 1 ? "takes" : "take"} effect after a restart.` : "No changes.";
    state.classList.remove("level-error");
    shell.guard(changed.length ? () => shell.confirm(saving ? "Leave while the save is not finished?" : "Leave without saving?", "Leave") : null);
  }

  async function send(event) {
    event.preventDefault();
    if (saving) return;
    saving = true;
    look();
    const sent = new Map(controls.map((one) => [one, JSON.stringify(one.read())]));
    try {
      const changes = Object.fromEntries(controls.filter((one) => one.changed()).map((one) => [one.setting.path, one.read()]));
      take(await shell.post("settings", { version: page.version, changes }), sent);
      shell.toast(`Saved. The previous file is ${page.backup}.`);
    } catch (error) {
      saving = false;
      look();
      if (error.status === 409 && (await shell.confirm(`${error.message}.`, "Show the file"))) return paint(await shell.get("settings"));
      state.textContent = error.message;
      state.classList.add("level-error");
    }
  }

  // Text typed while the save was under way stays, and is not saved yet.
  function take(next, sent) {
    saving = false;
    page = next;
    const settings = new Map(next.settings.map((one) => [one.path, one]));
    for (const one of controls) {
      const now = settings.get(one.setting.path);
      one.take(now);
      if (one.changed() && JSON.stringify(one.read()) === sent.get(one)) one.write(now.value); // it may be written another way
    }
    look();
  }

  paint(page);
}
