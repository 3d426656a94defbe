// Settings: goop.json, each setting with what it means, its bounds and its default; saved whole, or not at all.
import { freshId } from "../shell/dom.js";

const TITLES = { lua: "Scripts", profile: "You", viewer: "The web side", p2p: "The network", presence: "Beyond the local network", listen: "Listening" };

export async function show(main, shell) {
  const { el } = shell;
  let page = await shell.get("settings");
  let controls = [];
  const save = el("button", { type: "submit", class: "main", disabled: true }, "Save");
  const undo = el("button", { type: "button", disabled: true, onclick: () => paint(page) }, "Undo");
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
      el("p", { class: "soft" }, `They stand in goop.json and are read when the peer starts. A save keeps what stood there before as ${page.backup}.`),
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
    if (setting.kind === "switch") {
      input = el("select", common, [["", `default (${setting.default})`], ["true", "on"], ["false", "off"]].map(([name, text]) =>
        el("option", { value: name, selected: name === (value === null ? "" : String(value)) }, text)));
      read = () => (input.value === "" ? null : input.value === "true");
    } else if (setting.kind === "list") {
      input = el("textarea", { ...common, value: (value || []).join("\n"), placeholder: "one a line", spellcheck: "false" });
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
    const notes = [
      setting.overridden && el("span", { class: "badge warn" }, `set by ${setting.variable}`),
      setting.waits && el("span", { class: "badge warn" }, "waits for a restart"),
    ];
    const row = el(
      "div",
      { class: "setting" },
      el("div", { class: "say" }, el("label", { for: id }, setting.path), " ", notes),
      el("p", { class: "say small soft", id: about }, setting.doc.replaceAll("`", "")),
      el("div", { class: "control" }, input, el("p", { class: "small soft wrap" }, `${setting.allowed}. Default: ${setting.default}`)),
    );
    const before = JSON.stringify(value === "" ? null : value);
    const isEmptyList = setting.kind === "list" && value && !value.length;
    return { setting, row, read, changed: () => JSON.stringify(read()) !== (isEmptyList ? "null" : before) };
  }

  function look() {
    const changed = controls.filter((one) => one.changed());
    controls.forEach((one) => one.row.classList.toggle("changed", changed.includes(one)));
    save.disabled = undo.disabled = !changed.length;
    const waiting = page.settings.filter((one) => one.waits).length;
    state.textContent = changed.length
      ? `${changed.length} changed. It takes effect when the peer starts again.`
      : waiting ? `Saved. ${waiting} ${waiting === 1 ? "waits" : "wait"} for the next start of the peer.` : "Nothing changed.";
    state.classList.remove("level-error");
    shell.guard(changed.length ? () => shell.confirm("Leave without saving?", "Leave") : null);
  }

  async function send(event) {
    event.preventDefault();
    const changes = Object.fromEntries(controls.filter((one) => one.changed()).map((one) => [one.setting.path, one.read()]));
    try {
      paint(await shell.post("settings", { version: page.version, changes }));
      shell.toast(`Saved. What stood there before is ${page.backup}.`);
    } catch (error) {
      if (error.status === 409 && (await shell.confirm(`${error.message}.`, "Look at it now"))) return paint(await shell.get("settings"));
      state.textContent = error.message;
      state.classList.add("level-error");
    }
  }

  paint(page);
  return () => shell.guard(null);
}
