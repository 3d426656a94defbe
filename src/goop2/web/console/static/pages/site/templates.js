// Templates: what there is, what one would do, as sentences, applying it with consent, and taking it back.
import { upload } from "../../shell/api.js";
import { mix, t } from "../../shell/text.js";
import { dropped } from "./drop.js";

const UPLOADED = null; // the name of the one that was uploaded last

export async function showTemplates(main, tools, shell) {
  const { el } = shell;
  let found = await shell.get("templates");
  const list = el("ul", { class: "list" });
  const now = el("p", { class: "wrap" });
  const undo = el("button", { type: "button", onclick: () => takeBack() }, t("Undo the last template"));
  const place = el("div", { class: "page", "aria-live": "polite" });
  const chosen = el("input", { type: "file", accept: ".gz,.tgz,application/gzip", hidden: true, onchange: () => { if (chosen.files.length) bring(chosen.files[0]); chosen.value = ""; } });
  tools.replaceChildren(el("button", { type: "button", onclick: () => chosen.click() }, t("Upload a .tar.gz")), chosen);
  const bench = el("div", { class: "columns templates" },
    el("section", { class: "card page" }, el("h2", {}, t("Templates")), now, el("p", { class: "row" }, undo),
      el("p", { class: "small soft" }, t("A template makes the whole site: pages, scripts and tables. What would happen is shown first. Drop a .tar.gz here to look at one of your own.")), list),
    place);
  main.replaceChildren(bench);
  shell.atEnd(dropped(bench, ([first]) => bring(first.file)));

  function paint() {
    now.replaceChildren(...(found.current ? mix("The site has {0}.", el("strong", {}, found.current)) : [t("The site has no template.")]));
    undo.hidden = !found.can_undo;
    list.replaceChildren(...found.templates.map((one) => el("li", { class: "row" },
      el("div", { class: "grow" }, el("strong", {}, one.name), el("p", { class: "small soft" }, one.description)),
      el("button", { type: "button", "aria-label": t`Look at ${one.name}`, onclick: () => plan(one.name) }, t("Look")))));
  }

  const choosing = shell.choices();

  async function bring(file) {
    const isChosen = choosing();
    place.replaceChildren(el("p", { class: "wait" }, t`${file.name} is checked…`));
    try {
      await shell.whileShown(upload(`templates/upload?name=${encodeURIComponent(file.name)}`, file));
      if (isChosen()) await plan(UPLOADED);
    } catch (error) {
      if (isChosen()) refused(error);
    }
  }

  async function plan(name, switches = true) {
    const isChosen = choosing();
    try {
      const answer = await shell.read("templates/plan", { name, switches });
      if (isChosen()) showPlan(answer, name, switches);
    } catch (error) {
      if (isChosen()) refused(error);
    }
  }

  async function takeBack() {
    const isChosen = choosing();
    try {
      const answer = await shell.read("templates/undo/plan");
      if (isChosen()) showPlan(answer, "", true);
    } catch (error) {
      if (isChosen()) refused(error);
    }
  }

  const refused = (error) => place.replaceChildren(el("section", { class: "card problem", role: "alert" }, el("h2", {}, t("This is not possible")), el("p", { class: "wrap" }, `${error.message}.`)));

  const sectionOf = ({ title, lines, warns }) => el("section", { class: "plan-part" }, el("h3", { class: warns ? "level-warn" : "" }, title), el("ul", {}, lines.map((text) => el("li", { class: "wrap" }, text))));

  function showPlan({ plan: what, sections, digest }, name, switches) {
    const isUndo = what.undo;
    const agreed = el("input", { type: "checkbox", onchange: () => { go.disabled = !agreed.checked; } });
    const keep = el("input", { type: "checkbox", checked: !switches, onchange: () => plan(name, !keep.checked) });
    const go = el("button", { type: "button", class: "main", disabled: !isUndo, onclick: () => carryOut() }, isUndo ? t("Undo") : t`Apply ${what.name}`);
    const heading = el("h2", { tabindex: "-1" }, isUndo ? t`Take back ${what.name}` : what.name);
    place.replaceChildren(el("section", { class: "card page plan-card" }, heading, what.description && el("p", { class: "soft wrap" }, what.description), sections.map(sectionOf),
      !isUndo && (what.switches.length || !switches) ? el("label", { class: "row small" }, keep, t("Leave the switches in goop.json as they are")) : null,
      isUndo ? null : el("label", { class: "row" }, agreed, el("span", { class: "wrap grow" }, t("I have read this, and agree"))),
      el("div", { class: "row" }, go, el("button", { type: "button", onclick: () => { choosing(); place.replaceChildren(); } }, t("Leave it")))));
    heading.focus();

    async function carryOut() {
      go.disabled = true;
      try {
        const done = await shell.post(isUndo ? "templates/undo" : "templates/apply", isUndo ? { digest } : { name, switches, digest });
        place.replaceChildren(el("section", { class: "card page", role: "status" }, el("h2", {}, isUndo ? t`${done.name} is taken back` : t`${done.name} is the site now`),
          el("ul", {}, done.notes.map((text) => el("li", { class: "level-warn wrap" }, text))),
          el("p", { class: "row" }, el("a", { class: "button main", href: "#/site" }, t("To the files")), el("a", { class: "button", href: "#/home" }, t("Home")))));
        found = await shell.get("templates");
        paint();
      } catch (error) {
        if (error.status === 409) {
          shell.toast(error.message, "bad");
          return isUndo ? takeBack() : plan(name, switches);
        }
        go.disabled = false;
        shell.toast(error.message, "bad");
      }
    }
  }

  paint();
}
