// The console's shell: the list of pages, which one is shown, and what every page gets. It knows no page's content.
import { get, hasToken, onResumed, takeCode, takeWayIn } from "./shell/api.js";
import { copy } from "./shell/dialogs.js";
import { el } from "./shell/dom.js";
import { events } from "./shell/events.js";
import { openPalette, watchKeys } from "./shell/palette.js";
import { shortId } from "./shell/format.js";
import { openPage } from "./shell/page.js";
import { placesOf } from "./shell/places.js";
import { mix, t } from "./shell/text.js";
import { switchTheme, watchTheme } from "./shell/theme.js";
import { toast } from "./shell/toasts.js";

// In the order of the navigation. A page stands here once its module pages/<name>.js is there.
const INNER = new Set(["runs", "data", "site"]); // pages whose address goes on after their name: `#/runs/1002`
const PAGES = [
  { name: "home", title: t("Home"), key: "h" },
  { name: "scripts", title: t("Scripts"), key: "s" },
  { name: "schedules", title: t("Schedules"), key: "y" },
  { name: "site", title: t("Site"), key: "p" },
  { name: "chat", title: t("Chat"), key: "c" },
  { name: "runs", title: t("Runs & logs"), key: "r" },
  { name: "data", title: t("Data"), key: "d" },
  { name: "listen", title: t("Listening"), key: "l" },
  { name: "groups", title: t("Groups"), key: "g" },
  { name: "rooms", title: t("Rooms"), key: "m" },
  { name: "files", title: t("Files"), key: "f" },
  { name: "network", title: t("Network"), key: "n" },
  { name: "cluster", title: t("Cluster"), key: "u" },
  { name: "secrets", title: t("Secrets"), key: "k" },
  { name: "settings", title: t("Settings"), key: "e" },
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
  const [name, ...inner] = location.hash.replace(/^#\/?/, "").split("?")[0].split("/");
  const page = name ? PAGES.find((one) => one.name === name) : PAGES[0];
  return page && inner.join("") && !INNER.has(page.name) ? null : page || null;
}

function paintNavigation(page) {
  const links = PAGES.map(({ name, title }) =>
    el("a", { href: `#/${name}`, "aria-current": name === page?.name ? "page" : null }, title),
  );
  const nav = document.getElementById("nav");
  nav.replaceChildren(...links);
  const here = links[PAGES.indexOf(page)];
  if (!here) return;
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
  showTitle(wantedPage);
  if (!wantedPage) {
    close = () => {};
    return main.replaceChildren(notFound());
  }
  const place = el("div", { class: `page page-${wantedPage.name}` });
  main.replaceChildren(place);
  const opened = openPage(common);
  close = opened.close;
  await show(wantedPage.name, place, opened.page);
}

function showTitle(page) {
  document.title = `${page ? page.title : t("No such page")} · ${document.getElementById("label").textContent}`;
}

function notFound() {
  return el(
    "section",
    { class: "card problem page", role: "alert" },
    el("h1", {}, t("There is no such page")),
    el("p", { class: "wrap" }, mix("The console has no page at {0}. It may be of another version, or mistyped.", el("code", {}, location.hash.slice(0, 80)))),
    el("ul", { class: "row" }, PAGES.map(({ name, title }) => el("li", {}, el("a", { href: `#/${name}` }, title)))),
  );
}

async function show(name, place, page) {
  const slow = setTimeout(() => place.childElementCount || place.append(el("p", { class: "wait", role: "status" }, t("One moment…"))), SLOW_MS);
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
  return el("section", { class: "card problem", role: "alert" }, el("h1", {}, t("This page cannot be shown")), el("p", {}, error.message));
}

function locked(why = "") {
  document.querySelector(".tools").hidden = true;
  main.replaceChildren(
    el(
      "section",
      { class: "card problem" },
      el("h1", {}, t("The console is locked")),
      why && el("p", { class: "level-error wrap" }, `${why}.`),
      el("p", {}, t("Open the address that was printed when the peer started: it contains the key for this run. Or run this in a terminal:")),
      el("p", {}, el("code", {}, "goop2 console DIR --open")),
    ),
  );
}

// What index.html shows without text, since it is in no language.
function fillFrame() {
  document.querySelector(".skip").textContent = t("Skip to the page");
  document.getElementById("label").textContent = t("Console");
  document.getElementById("nav").setAttribute("aria-label", t("Pages"));
  document.getElementById("palette").replaceChildren(...mix("Go to {0}", el("kbd", {}, "Ctrl K")));
  const documentation = document.getElementById("docs");
  documentation.title = documentation.ariaLabel = t("Documentation");
  main.replaceChildren(el("p", { class: "wait" }, t("One moment…")));
}

async function start() {
  fillFrame();
  watchTheme(document.getElementById("theme"));
  let refused = "";
  await takeWayIn().catch((error) => { refused = error.message; });
  if (!hasToken()) return locked(refused);
  let home;
  try {
    home = await get("who");
  } catch (error) {
    return error.status === 403 ? locked(refused) : main.replaceChildren(refusal(error));
  }
  takeCode();
  const label = document.getElementById("label");
  label.textContent = label.title = home.label;
  const renewLabel = async () => {
    home = await get("who").catch(() => home);
    label.textContent = label.title = home.label;
    showTitle(wanted());
  };
  events.on("settings", renewLabel);
  events.on("call", ({ peer, label }) => toast(t`${label || shortId(peer)} called. Calls are not supported yet: write a message instead.`, "bad"));
  onResumed(renewLabel);
  const destinations = () => [
    ...PAGES.map(({ name, title, key }) => ({ title, keys: `g ${key}`, run: () => common.go(name) })),
    { title: t("Open the own site"), keys: "g o", run: () => window.open(home.site, "_blank", "noopener") },
    { title: t("Documentation"), keys: "g ?", run: () => window.open("/docs/", "_blank", "noopener") },
    { title: t("Colours: light, dark, or as the system"), keys: "g t", run: switchTheme },
  ];
  const openPlaces = () => openPalette(destinations(), placesOf(common));
  watchKeys(destinations, openPlaces);
  document.getElementById("palette").addEventListener("click", openPlaces);
  events.follow(document.getElementById("link"), document.getElementById("trouble"));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment is the page's address
    main.focus();
  });
  window.addEventListener("hashchange", async () => {
    const entered = await takeWayIn().catch((error) => toast(error.message, "bad"));
    if (entered) location.reload();
    else route();
  });
  current = null;
  route();
}

await start();
