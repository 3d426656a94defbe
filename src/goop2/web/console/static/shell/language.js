// The choice of the console's language, kept in this browser: automatic is the first one of the browser's own that there is.
import { el, freshId } from "./dom.js";
import { languages, t } from "./text.js";

const KEPT = "goop2-language"; // theme.js reads it before the first paint

// A language by its own name, so that whoever reads only that one finds it.
const nameOf = (code) => {
  const name = new Intl.DisplayNames([code], { type: "language" }).of(code);
  return name.charAt(0).toLocaleUpperCase(code) + name.slice(1);
};

/** The card; it loads the page anew in the language that is chosen. */
export function languageCard() {
  const id = freshId("language");
  const kept = localStorage.getItem(KEPT) || "";
  const options = [["", t("Automatic, as the browser says")], ...languages.map((code) => [code, nameOf(code)])];
  const choice = el("select", { id, onchange: choose }, options.map(([value, text]) => el("option", { value, lang: value || null, selected: value === kept }, text)));

  function choose() {
    if (choice.value) localStorage.setItem(KEPT, choice.value);
    else localStorage.removeItem(KEPT);
    location.reload();
  }

  return el("section", { class: "card" }, el("h2", {}, t("Language")),
    el("label", { class: "field", for: id }, t("Language of the console"), choice),
    el("p", { class: "small soft" }, t("It is kept in this browser. Errors and settings are in English.")));
}
