// Site: the files that visitors see, with an editor, and templates that the whole site can be made of.
import { t } from "../shell/text.js";
import { showFiles } from "./site/files.js";
import { showTemplates } from "./site/templates.js";

const VIEWS = { files: [t("Files"), "#/site"], templates: [t("Templates"), "#/site/templates"] };
const SHOW = { files: showFiles, templates: showTemplates };

export async function show(main, shell) {
  const { el } = shell;
  const view = shell.inner || "files";
  if (!Object.hasOwn(VIEWS, view)) {
    main.replaceChildren(el("section", { class: "card problem", role: "alert" }, el("h1", {}, t("There is no such part of the site")), el("p", {}, el("a", { href: "#/site" }, t("To the files")))));
    return;
  }
  const tools = el("div", { class: "row" });
  const place = el("div", { class: "page" });
  main.replaceChildren(
    el("div", { class: "row apart" }, el("div", { class: "row" }, el("h1", {}, t("Site")),
      el("nav", { class: "tabs", "aria-label": t("Parts of the site") }, Object.entries(VIEWS).map(([name, [title, href]]) =>
        el("a", { class: "button", href, "aria-current": name === view ? "page" : null }, title)))), tools),
    place,
  );
  await SHOW[view](place, tools, shell);
}
