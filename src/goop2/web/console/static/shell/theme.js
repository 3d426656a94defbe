// The switch between light, dark, and what the system says.
const NAMES = { auto: "Auto", light: "Light", dark: "Dark" };
let button = null;

function say() {
  const name = NAMES[document.documentElement.dataset.theme];
  button.textContent = name;
  button.title = "Light, dark, or as the system says";
  button.setAttribute("aria-label", `${name} colours: change`);
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
