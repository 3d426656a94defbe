// The switch between light, dark, and what the system says.
import { el } from "./dom.js";
import { t } from "./text.js";

const NAMES = { auto: t("Automatic colours: change"), light: t("Light colours: change"), dark: t("Dark colours: change") };
const SAID = {
  auto: t("Colours: as the system says. Press to change"), light: t("Colours: light. Press to change"), dark: t("Colours: dark. Press to change"),
};
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };
let button = null;

function say() {
  const chosen = document.documentElement.dataset.theme;
  button.replaceChildren(el("span", { "aria-hidden": "true" }, SIGNS[chosen]));
  button.title = SAID[chosen];
  button.setAttribute("aria-label", NAMES[chosen]);
}

/** The next of the three; pages that paint by themselves hear the event `themechange` of the window. */
export function switchTheme() {
  const names = Object.keys(NAMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
  document.documentElement.dataset.theme = next;
  localStorage.setItem("goop2-theme", next);
  say();
  window.dispatchEvent(new Event("themechange"));
}

/** Makes `switchButton` the switch. */
export function watchTheme(switchButton) {
  button = switchButton;
  say();
  button.addEventListener("click", switchTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => window.dispatchEvent(new Event("themechange")));
}
