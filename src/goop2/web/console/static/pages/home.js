// Home: who this peer is, its status, what needs attention, the last runs, and links to the own site.
import { clock, duration, grouped, span } from "../shell/format.js";
import { callerShown, scriptShown, statusBadge } from "../shell/run.js";
import { many, mix, t } from "../shell/text.js";

const HIDDEN = "goop2-steps-hidden";
const REFRESH_MS = 400; // after an event, so that a busy peer is asked twice a second at most

export async function show(main, shell) {
  const { el } = shell;
  let home = await shell.get("home");

  function identity() {
    const copy = el("button", { type: "button", onclick: () => shell.copy(home.id, t("Peer id copied")) }, t("Copy"));
    return el(
      "section",
      { class: "card hero", "aria-label": t("This peer") },
      el(
        "div",
        { class: "text" },
        el("h1", {}, home.label),
        el("p", { class: "id" }, el("code", { class: "cut", title: home.id, "aria-label": t`Peer id ${home.id}` }, home.id), copy),
        el(
          "p",
          { class: "row" },
          el("a", { class: "button main", href: home.site, target: "_blank", rel: "noopener" }, t("Open the site")),
          el("button", { type: "button", onclick: openAsVisitor }, t("Open as a visitor")),
        ),
        el("p", { class: "small soft" }, t("Shows the site as a stranger sees it, each time as a new visitor.")),
      ),
      el("img", { class: "qr", src: home.qr, alt: t("QR code of the peer id") }),
    );
  }

  function openAsVisitor() {
    const used = Number(localStorage.getItem("goop2-visitors") || 0) + 1;
    localStorage.setItem("goop2-visitors", used);
    window.open(home.visitor.replace("NAME", `v${used}`), "_blank", "noopener");
  }

  function attention() {
    const problems = home.attention;
    if (!problems.length) return el("p", {}, el("span", { class: "badge good" }, t("All good")), " ", t("Nothing needs attention."));
    return el("ul", { class: "list" }, problems.map(problem));
  }

  function problem({ level, title, text, remedy, script, page }) {
    return el(
      "li",
      { class: "wrap" },
      el("p", {}, el("span", { class: `badge ${level}` }, level === "bad" ? t("Error") : t("Warning")), " ", el("strong", {}, title)),
      el("p", {}, text),
      remedy && el("p", { class: "small soft" }, remedy),
      script && shell.has("scripts") && el("a", { href: `#/scripts?path=${encodeURIComponent(script)}` }, t("Open the script")),
      page && el("a", { href: `#/${page}` }, t("Open the page")),
    );
  }

  function backup({ age, check_age: checkAge }) {
    const copied = age === null ? t("nothing copied yet") : age < 10 ? t("up to date") : t`last copied ${span(age)} ago`;
    return `${copied}, ${checkAge === null ? t("restoring not tested yet") : t`restoring tested ${span(checkAge)} ago`}`;
  }

  function facts() {
    const { up } = home;
    const layers = Object.entries(up.confinement);
    const missing = layers.filter(([, why]) => why).map(([name]) => name);
    const rows = [
      [t("Site"), el("a", { href: home.site, target: "_blank", rel: "noopener" }, home.site)],
      home.opened && [t("For others"), el("a", { href: home.opened, target: "_blank", rel: "noopener" }, home.opened)],
      [t("Scripts"), up.lua ? `${many(up.commands, "{0} command", "{0} commands")}, ${many(up.functions, "{0} function", "{0} functions")}` : t("switched off (lua.enabled)")],
      [t("Workers"), t`${grouped(up.workers)} of at most ${grouped(up.workers_max)}, ${many(up.waiting, "{0} call", "{0} calls")} waiting`],
      [t("Script protection"), missing.length ? `missing: ${missing.join(", ")}` : t`all ${layers.length} layers active`],
      up.backup && [t("Backup"), el("span", { title: up.backup.place }, backup(up.backup))],
      [t("Running for"), span(up.seconds)],
    ];
    return el("dl", { class: "facts" }, rows.filter(Boolean).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  }

  // The first steps with a new peer; whoever knows them hides them, in this browser.
  const STEPS = {
    command: [t("Run a command"), mix("Open the site and send {0}, or try it on the page Scripts.", el("code", {}, "!hello Alice")), "scripts"],
    change: [t("Change a script"), t("Open it on the page Scripts, change a word, and save: it is live at once."), "scripts"],
    table: [t("Keep something in a table"), t("Add a row to a table, or make a table, on the page Data."), "data"],
    visitor: [t("Look at it as a visitor"), t("Press “Open as a visitor” above and send a command there: its run has the visitor’s name."), "runs"],
  };
  function steps() {
    if (!home.steps.length || localStorage.getItem(HIDDEN)) return null;
    const hide = el("button", { type: "button", onclick: () => { localStorage.setItem(HIDDEN, "yes"); paint(); } }, t("Hide these"));
    return el("section", { class: "card first-steps", "aria-label": t("First steps") }, el("div", { class: "row apart" }, el("h2", {}, t("First steps")), hide),
      el("ul", { class: "list" }, home.steps.map(({ name, done }) => {
        const [title, what, page] = STEPS[name];
        return el("li", { class: done ? "done" : null }, el("p", {}, el("span", { class: `badge ${done ? "ok" : ""}` }, done ? t("done") : t("to do")), " ", el("strong", {}, title)),
          !done && el("p", { class: "small soft wrap" }, what, " ", el("a", { href: `#/${page}` }, t("Open the page"))));
      })));
  }

  function runs() {
    if (!home.runs.length) return el("p", { class: "soft" }, t("No script has run yet."));
    return el(
      "ul",
      { class: "list" },
      home.runs.map((run) =>
        el(
          "li",
          { class: "row apart" },
          el(
            "a",
            { href: `#/runs/${run.id}`, class: "cut" },
            scriptShown(run),
          ),
          el(
            "span",
            { class: "row small soft" },
            el("span", { title: run.caller }, callerShown(run)),
            el("span", { class: "clock" }, clock(run.started)),
            run.status === "ok" ? el("span", { class: "badge ok" }, duration(run.milliseconds)) : statusBadge(run),
          ),
        ),
      ),
    );
  }

  function paint() {
    const section = (title, ...content) => el("section", { class: "card" }, el("h2", {}, title), ...content);
    const columns = el("div", { class: "columns" }, section(t("Needs attention"), attention()), section(t("Status"), facts()));
    // Keyboard users must not lose the focus because a run elsewhere repaints the page.
    const held = document.activeElement?.textContent;
    const first = steps();
    main.replaceChildren(identity(), ...(first ? [first] : []), columns, section(t("Last runs"), runs()));
    if (held) [...main.querySelectorAll("a, button")].find((one) => one.textContent === held)?.focus();
  }

  const asking = shell.renewals();
  async function refresh() {
    const isNews = asking();
    try {
      const next = await shell.get("home");
      if (!isNews()) return;
      home = next;
      paint();
    } catch {
      // The status at the top says that the peer does not answer.
    }
  }
  const soon = shell.delayed(REFRESH_MS, refresh);
  paint();
  for (const kind of ["run", "script", "group", "call", "gap"]) shell.on(kind, soon);
}
