// The console's shell: the list of pages, which one is shown, and what every page gets. It knows no page's content.
import { get, hasToken, takeToken } from "./shell/api.js";
import { copy } from "./shell/dialogs.js";
import { el } from "./shell/dom.js";
import { events } from "./shell/events.js";
import { openPalette, watchKeys } from "./shell/keys.js";
import { openPage } from "./shell/page.js";
import { switchTheme, watchTheme } from "./shell/theme.js";
import { toast } from "./shell/toasts.js";

// In the order of the navigation. A page stands here once its module pages/<name>.js is there.
const PAGES = [
  { name: "home", title: "Home", key: "h" },
  { name: "scripts", title: "Scripts", key: "s" },
  { name: "chat", title: "Chat", key: "c" },
  { name: "runs", title: "Runs & logs", key: "r" },
  { name: "data", title: "Data", key: "d" },
  { name: "listen", title: "Listening", key: "l" },
  { name: "groups", title: "Groups", key: "g" },
  { name: "network", title: "Network", key: "n" },
  { name: "secrets", title: "Secrets", key: "k" },
  { name: "settings", title: "Settings", key: "e" },
];

const SLOW_MS = 400; // until a waiting page says so
const main = document.getElementById("main");
let close = () => {}; // ends the page that is shown
let canLeave = null; // a page's own question before it is left; true lets go
let asking = false; // whether that question stands
let current = "";

// What all pages share; `openPage` makes a page's own shell from it, which ends with the page.
const common = {
  el,
  toast,
  copy,
  /** Goes to a page: `go("runs", { script: "hello" })`. */
  go(page, query = {}) {
    const asked = new URLSearchParams(query).toString();
    location.hash = `#/${page}${asked ? `?${asked}` : ""}`;
  },
  /** Writes what a page shows into its address, without going anywhere. */
  note(query) {
    const asked = new URLSearchParams(query).toString();
    current = `${current.split("?")[0]}${asked ? `?${asked}` : ""}`;
    if (!asking) history.replaceState(null, "", current); // else the address is already that of the next page
  },
  /** Whether there is a page of this name. */
  has: (name) => PAGES.some((page) => page.name === name),
  /** What stands after the `?` of the page's address. */
  get query() {
    return new URLSearchParams(location.hash.split("?")[1] || "");
  },
  /** What stands after the page's name in its address: `1002` of `#/runs/1002`. */
  get inner() {
    return decodeURIComponent(location.hash.split("?")[0].split("/")[2] || "");
  },
  /** Asks `question()` (a promise of true or false) before this page is left; null takes the question back. */
  guard(question) {
    canLeave = question;
    window.onbeforeunload = question ? (event) => event.preventDefault() : null;
  },
};

function wanted() {
  const name = location.hash.replace(/^#\/?/, "").split("?")[0].split("/")[0];
  return PAGES.find((page) => page.name === name) || PAGES[0];
}

function paintNavigation(page) {
  const links = PAGES.map(({ name, title }) =>
    el("a", { href: `#/${name}`, "aria-current": name === page.name ? "page" : null }, title),
  );
  const nav = document.getElementById("nav");
  nav.replaceChildren(...links);
  const here = links[PAGES.indexOf(page)];
  nav.scrollLeft = here.offsetLeft - nav.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2; // on a phone they do not all fit
}

async function mayLeave() {
  if (!canLeave) return true;
  asking = true;
  try {
    return await canLeave();
  } finally {
    asking = false;
  }
}

async function route() {
  if (asking || location.hash === current) return;
  if (!(await mayLeave())) {
    history.replaceState(null, "", current);
    return;
  }
  common.guard(null);
  current = location.hash || `#/${PAGES[0].name}`;
  const wantedPage = wanted();
  close();
  paintNavigation(wantedPage);
  document.title = `${wantedPage.title} · ${document.getElementById("label").textContent}`;
  const place = el("div", { class: `page page-${wantedPage.name}` });
  main.replaceChildren(place);
  const opened = openPage(common);
  close = opened.close;
  await show(wantedPage.name, place, opened.page);
}

async function show(name, place, page) {
  const slow = setTimeout(() => place.childElementCount || place.append(el("p", { class: "wait", role: "status" }, "One moment…")), SLOW_MS);
  page.atEnd(() => clearTimeout(slow));
  try {
    const module = await page.whileShown(import(`./pages/${name}.js`));
    await module.show(place, page);
  } catch (error) {
    place.replaceChildren(refusal(error));
  } finally {
    clearTimeout(slow);
  }
}

function refusal(error) {
  return el("section", { class: "card problem", role: "alert" }, el("h1", {}, "This page cannot be shown"), el("p", {}, error.message));
}

function locked() {
  document.querySelector(".tools").hidden = true;
  main.replaceChildren(
    el(
      "section",
      { class: "card problem" },
      el("h1", {}, "The console is locked"),
      el("p", {}, "Open the address that was printed when the peer started. It contains the key for this run."),
    ),
  );
}

async function start() {
  takeToken();
  watchTheme(document.getElementById("theme"));
  if (!hasToken()) return locked();
  let home;
  try {
    home = await get("who");
  } catch (error) {
    return error.status === 403 ? locked() : main.replaceChildren(refusal(error));
  }
  document.getElementById("label").textContent = home.label;
  const destinations = () => [
    ...PAGES.map(({ name, title, key }) => ({ title, keys: `g ${key}`, run: () => common.go(name) })),
    { title: "Open the own site", keys: "g o", run: () => window.open(home.site, "_blank", "noopener") },
    { title: "Light, dark or automatic", keys: "g t", run: switchTheme },
  ];
  watchKeys(destinations);
  document.getElementById("palette").addEventListener("click", () => openPalette(destinations()));
  events.follow(document.getElementById("link"), document.getElementById("trouble"));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment is the page's address
    main.focus();
  });
  window.addEventListener("hashchange", () => (takeToken() ? location.reload() : route()));
  current = null;
  route();
}

await start();
