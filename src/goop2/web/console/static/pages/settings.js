// Settings: goop.json, each setting with its meaning, its bounds and its default; all changes are saved, or none.
import { freshId } from "../shell/dom.js";
import { languageCard } from "../shell/language.js";
import { pictureCard } from "../shell/picture.js";
import { many, t } from "../shell/text.js";

const TITLES = {
  lua: t("Scripts"), profile: t("You"), viewer: t("Web"), p2p: t("Network"), presence: t("Beyond the local network"), listen: t("Listening"),
  storage: t("Files and database"), runs: t("History of runs"), backup: t("Backup"), identity: t("Identity"), paths: t("Folders"),
};

export async function show(main, shell) {
  const { el } = shell;
  let page = await shell.get("settings");
  let controls = [];
  const save = el("button", { type: "submit", class: "main", disabled: true }, t("Save"));
  const undo = el("button", { type: "button", disabled: true, onclick: () => paint(page) }, t("Undo"));
  let saving = false;
  const state = el("p", { class: "wrap", role: "status" });
  const filterId = freshId("filter");
  const filter = el("input", { id: filterId, type: "search", autocomplete: "off", spellcheck: "false", oninput: narrow });
  const none = el("p", { class: "soft", role: "status" });
  const again = el("button", { type: "button", onclick: restart }, t("Restart the peer"));
  const picture = pictureCard(shell);
  const language = languageCard();

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
      el("h1", {}, t("Settings")),
      el("p", { class: "soft" }, t`What is saved here goes into goop.json; the previous file is kept as ${page.backup}. Most changes take effect at once. Settings marked “at the next start” wait for a restart.`),
      el("label", { class: "field", for: filterId }, t("Find a setting"), filter),
      none,
      language,
      picture,
      el("form", { class: "page", onsubmit: send, novalidate: true }, ...bySection, el("div", { class: "foot row apart" }, state, el("div", { class: "row" }, page.can_restart && again, undo, save))),
    );
    narrow();
    look();
  }

  // Rows that do not fit what is looked for are hidden, and sections without a row; one that is changed stays in sight.
  function narrow() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const one of controls) {
      const text = `${one.setting.path} ${one.setting.title} ${one.setting.doc}`.toLowerCase();
      one.row.hidden = !words.every((word) => text.includes(word)) && !one.changed();
      shown += !one.row.hidden;
    }
    for (const card of main.querySelectorAll("form > section")) card.hidden = !card.querySelector(".setting:not([hidden])");
    picture.hidden = !words.every((word) => t("picture avatar photo").includes(word));
    language.hidden = !words.every((word) => `${language.textContent.toLowerCase()} language`.includes(word));
    none.textContent = shown || !picture.hidden || !language.hidden ? "" : t("No setting has this in its name or meaning.");
  }

  async function restart() {
    if (again.disabled) return;
    const unsaved = controls.some((one) => one.changed());
    const question = unsaved ? t("Restart the peer without saving what is changed here?") : t("Restart the peer? Calls under way are ended, and visitors wait for a moment.");
    if (!(await shell.confirm(question, t("Restart")))) return;
    again.disabled = true;
    try {
      await shell.post("settings/restart");
      shell.toast(t("The peer restarts. This tab goes on when it is back."));
    } catch (error) {
      shell.toast(error.message, "bad");
    }
    again.disabled = false;
  }

  function controlFor(setting) {
    const id = freshId("setting");
    const about = `${id}-about`;
    const common = { id, "aria-describedby": about, oninput: () => { mark(""); look(); }, disabled: setting.overridden };
    const value = setting.value;
    let input;
    let read;
    let write = (now) => { input.value = now === null ? "" : String(now); };
    if (setting.kind === "switch") {
      input = el("select", common, [["", t`default (${setting.default})`], ["true", t("on")], ["false", t("off")]].map(([name, text]) =>
        el("option", { value: name, selected: name === (value === null ? "" : String(value)) }, text)));
      read = () => (input.value === "" ? null : input.value === "true");
    } else if (setting.kind === "switch or list") {
      const shown = (now) => (Array.isArray(now) ? now.join("\n") : now === null ? "" : now ? t("on") : t("off"));
      input = el("textarea", { ...common, rows: 2, value: shown(value), placeholder: t("on, off, or one a line"), spellcheck: "false" });
      write = (now) => { input.value = shown(now); };
      read = () => {
        const lines = input.value.split("\n").map((line) => line.trim()).filter(Boolean);
        const word = lines.length === 1 ? { [t("on")]: true, [t("off")]: false, on: true, off: false, true: true, false: false }[lines[0].toLowerCase()] : undefined;
        return word ?? (lines.length ? lines : null);
      };
    } else if (setting.kind === "list") {
      input = el("textarea", { ...common, value: (value || []).join("\n"), placeholder: t("one a line"), spellcheck: "false" });
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
    const why = el("p", { class: "small level-error wrap", id: `${id}-why`, hidden: true });
    // Says at the setting itself why it was refused; "" takes that back.
    function mark(reason) {
      row.classList.toggle("refused", Boolean(reason));
      why.textContent = reason;
      why.hidden = !reason;
      if (reason) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      input.setAttribute("aria-describedby", reason ? `${why.id} ${about}` : about);
    }
    const row = el(
      "div",
      { class: "setting" },
      el("div", { class: "say row" }, el("label", { for: id }, setting.title, " ", el("code", { class: "small soft" }, setting.path)), notes),
      el("p", { class: "say small soft", id: about }, setting.doc.replaceAll("`", "")),
      el("div", { class: "control" }, input, why, el("p", { class: "small soft wrap" }, t`${setting.allowed}. Default: ${setting.default}`)),
    );
    const control = { setting, row, read, write, mark, input, saved: "", changed: () => JSON.stringify(read()) !== control.saved };
    control.take = ({ value, overridden, variable, waits }) => {
      const isEmpty = value === "" || (Array.isArray(value) && !value.length);
      control.saved = JSON.stringify(isEmpty ? null : value);
      notes.replaceChildren(...[
        overridden && el("span", { class: "badge warn" }, t`set by ${variable}`),
        waits ? el("span", { class: "badge warn" }, t("waits for a restart")) : !setting.live && el("span", { class: "badge" }, t("at the next start")),
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
    const later = changed.filter((one) => !one.setting.live).length;
    const whenever = !later ? "" : later === changed.length ? t("Effective at the next start.") : many(later, "{0} change of these will wait for a restart.", "{0} changes of these will wait for a restart.");
    state.textContent = changed.length
      ? `${many(changed.length, "{0} change not saved.", "{0} changes not saved.")} ${whenever}`.trim()
      : waiting ? many(waiting, "Saved. {0} change takes effect after a restart.", "Saved. {0} changes take effect after a restart.") : t("No changes.");
    state.classList.remove("level-error");
    shell.guard(changed.length ? () => shell.confirm(saving ? t("Leave while the save is not finished?") : t("Leave without saving?"), t("Leave")) : null);
  }

  async function send(event) {
    event.preventDefault();
    if (saving) return;
    saving = true;
    look();
    const sent = new Map(controls.map((one) => [one, JSON.stringify(one.read())]));
    try {
      controls.forEach((one) => one.mark(""));
      const changes = Object.fromEntries(controls.filter((one) => one.changed()).map((one) => [one.setting.path, one.read()]));
      take(await shell.post("settings", { version: page.version, changes }), sent);
      shell.toast(t`Saved. The previous file is ${page.backup}.`);
    } catch (error) {
      saving = false;
      look();
      if (error.status === 409 && (await shell.confirm(`${error.message}.`, t("Show the file")))) return paint(await shell.get("settings"));
      state.textContent = error.message;
      state.classList.add("level-error");
      const meant = controls.find((one) => one.setting.path === error.body?.path);
      if (!meant) return;
      meant.mark(error.message);
      meant.row.hidden = meant.row.parentNode.hidden = false;
      meant.row.scrollIntoView({ block: "center" });
      meant.input.focus({ preventScroll: true });
    }
  }

  // Another tab has saved, or the peer was restarted: what is typed here stays, and the next save is told of the other one.
  const asking = shell.renewals();
  async function renew() {
    if (saving || controls.some((one) => one.changed())) return;
    const isNews = asking();
    const next = await shell.get("settings").catch(() => null);
    if (!next || !isNews() || saving || controls.some((one) => one.changed())) return;
    page = next;
    const settings = new Map(next.settings.map((one) => [one.path, one]));
    for (const one of controls) {
      const [now, before] = [settings.get(one.setting.path), one.saved];
      one.take(now);
      if (one.saved !== before) one.write(now.value); // only then: the place in a field that is being read stays
    }
    look();
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
  shell.on("settings", renew);
  shell.on("gap", renew);
  const wanted = controls.find((one) => one.setting.path === shell.query.get("of"));
  if (wanted) {
    wanted.row.scrollIntoView({ block: "center" });
    wanted.input.focus({ preventScroll: true });
  }
}
