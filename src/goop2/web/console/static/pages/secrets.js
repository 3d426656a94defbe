// Secrets: what scripts keep by goop.kv. A value is read from the peer when it is asked for, and is gone from the page when it is hidden.
import { bytes } from "../shell/format.js";
import { t } from "../shell/text.js";
import { labelled, select } from "./data/fields.js";

const nameOf = ({ kind, name }) => (kind === "command" ? `!${name}` : name);
const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));

export async function show(main, shell) {
  const { el } = shell;
  let found = await shell.get("secrets");
  const list = el("div", { class: "page" });
  main.replaceChildren(el("h1", {}, t("Secrets")), el("section", { class: "card page" },
    el("p", { class: "soft" }, t("What scripts keep by goop.kv: keys for other services, and what they remember. No visitor and no page sees it.")),
    found.enabled ? null : el("p", { class: "level-warn" }, t("Scripts have no goop.kv as long as lua.kv_enabled is false.")),
    el("p", {}, el("button", { type: "button", onclick: () => write(null) }, t("Add a value"))), list));

  function paint() {
    const scripts = new Map();
    for (const one of found.keys) scripts.set(`${one.kind}/${one.script}`, [...(scripts.get(`${one.kind}/${one.script}`) || []), one]);
    list.replaceChildren(...(scripts.size ? [...scripts.values()].map((keys) => el("section", {},
      el("h2", { class: "mono" }, nameOf({ kind: keys[0].kind, name: keys[0].script })), el("ul", { class: "list" }, keys.map(line)))) : [el("p", { class: "soft" }, t("Nothing is kept yet."))]));
  }

  function line(one) {
    const value = el("code", { class: "wrap grow" }, "••••••••");
    let isShown = false;
    const asking = shell.choices();
    const label = t`${one.key} of ${nameOf({ kind: one.kind, name: one.script })}`;
    const toggle = el("button", { type: "button", "aria-pressed": "false", "aria-label": t`Show ${label}`, onclick: async () => {
      const isChosen = asking();
      isShown = !isShown;
      toggle.textContent = isShown ? t("Hide") : t("Show");
      toggle.setAttribute("aria-pressed", String(isShown));
      value.textContent = "••••••••";
      if (!isShown) return;
      try {
        const answer = await shell.read("secrets/show", { kind: one.kind, script: one.script, key: one.key });
        if (isChosen()) value.textContent = text(answer.value); // hidden again meanwhile: it stays so
      } catch (error) {
        if (isChosen()) value.textContent = error.message;
      }
    } }, t("Show"));
    return el("li", { class: "row" }, el("span", { class: "mono" }, one.key), value, el("span", { class: "small soft" }, bytes(one.bytes)), toggle,
      el("button", { type: "button", "aria-label": t`Change ${label}`, onclick: () => write(one) }, t("Change")),
      el("button", { type: "button", class: "danger", "aria-label": t`Forget ${label}`, onclick: () => forget(one) }, t("Forget")));
  }

  async function write(one) {
    const scripts = found.scripts.map((script) => [`${script.kind}/${script.name}`, nameOf(script)]);
    if (!one && !scripts.length) { shell.toast(t("There is no script yet that could keep anything."), "bad"); return; }
    const script = select(one ? [[`${one.kind}/${one.script}`, nameOf({ kind: one.kind, name: one.script })]] : scripts, "");
    const key = el("input", { value: one ? one.key : "", autocomplete: "off", spellcheck: "false", readOnly: Boolean(one) });
    const value = el("input", { type: "password", autocomplete: "new-password", spellcheck: "false" });
    const seen = el("input", { type: "checkbox", onchange: () => { value.type = seen.checked ? "text" : "password"; } });
    const fields = el("div", { class: "page" }, labelled(t("Script"), script), labelled(t("Key"), key), labelled(t("Value, a text"), value), el("label", { class: "row small" }, seen, t("Show what I type")));
    await shell.asking(one ? t`A new value for ${one.key}` : t("A value for a script"), fields, t("Save"), async () => {
      const [kind, ...name] = script.value.split("/");
      found = await shell.post("secrets/save", { kind, script: name.join("/"), key: key.value, value: value.value });
      paint();
    });
  }

  async function forget(one) {
    if (!(await shell.confirm(t`Forget ${one.key} of ${nameOf({ kind: one.kind, name: one.script })}?`, t("Forget")))) return;
    try {
      found = await shell.post("secrets/forget", { kind: one.kind, script: one.script, key: one.key });
      paint();
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  paint();
}
