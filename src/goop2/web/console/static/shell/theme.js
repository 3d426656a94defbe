// The switch between light, dark, and what the system says.
import { el } from "./dom.js";

const NAMES = { auto: "Automatic", light: "Light", dark: "Dark" };
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };
let button = null;

function say() {
  const chosen = document.documentElement.dataset.theme;
  button.replaceChildren(el("span", { "aria-hidden": "true" }, SIGNS[chosen]));
  button.title = `Colours: ${{ auto: "as the system says", light: "light", dark: "dark" }[chosen]}. Press to change`;
  button.setAttribute("aria-label", `${NAMES[chosen]} colours: change`);
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
