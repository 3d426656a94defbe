// The files of the site: a tree, an editor, uploads by drag and drop, and a look at the site that follows what is saved.
import { post, upload } from "../../shell/api.js";
import { freshId } from "../../shell/dom.js";
import { bytes } from "../../shell/format.js";
import { language, many, t } from "../../shell/text.js";
import { toast } from "../../shell/toasts.js";
import { fileTree } from "./tree.js";
import { dropped } from "./drop.js";

const LANGUAGES = { html: "html", htm: "html", svg: "xml", xml: "xml", css: "css", js: "javascript", mjs: "javascript", json: "json", webmanifest: "json", md: "markdown" };
const UPLOAD_MAX_BYTES = 50 * 1024 * 1024; // web/limits.py
const NEW = {
  html: `<!doctype html>\n<html lang="${language}">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>${t("New page")}</title>\n<h1>${t("New page")}</h1>\n<script src="/sdk/goop.js"></script>\n</html>\n`,
};
const unsaved = new Map(); // path → text whose save was refused after the page was left
const saving = new Map(); // path → promise of a save that is on its way
const endingOf = (path) => path.split("/").pop().split(".").slice(1).pop()?.toLowerCase() || "";
const folderOf = (path) => path.split("/").slice(0, -1).join("/");

export async function showFiles(main, tools, shell) {
  const { el } = shell;
  const [{ edit }, first, { site }] = await Promise.all([shell.whileShown(import("../../vendor/editor.js")), shell.get("site/files"), shell.get("who")]);
  let listing = first;
  let open = null; // {path, version, saved, sent}
  let editor = null;

  const tree = fileTree(shell, { choose: (path) => choose(path), isOpen: (path) => open?.path === path });
  const title = el("h2", { class: "mono wrap" });
  const state = el("p", { class: "wrap small", role: "status" });
  const place = el("div", { class: "editor", tabindex: "-1", onkeydown: (event) => { if (event.target === place && event.key === "Enter" && editor) { event.preventDefault(); editor.focus(); } } });
  const other = el("div", { class: "shown-file" });
  const save = el("button", { type: "button", class: "main", onclick: () => store() }, t("Save"));
  const buttons = el("div", { class: "row" }, el("button", { type: "button", onclick: () => preview(open.path) }, t("Preview")),
    el("button", { type: "button", onclick: rename }, t("Rename")), el("button", { type: "button", class: "danger", onclick: remove }, t("Delete")), save);
  const work = el("section", { class: "card script-work", hidden: true, "aria-label": t("File") }, el("div", { class: "row apart" }, title, buttons), place, other, state);
  const none = el("section", { class: "card", hidden: true }, el("p", { class: "soft" }, t("Choose a file, or drop files here to put them into the site.")));
  const chosen = el("input", { type: "file", multiple: true, hidden: true, onchange: async () => { await bring([...chosen.files].map((file) => ({ path: file.name, file })), open ? folderOf(open.path) : ""); chosen.value = ""; } });
  const more = el("p", { class: "small level-warn", hidden: !listing.more }, t("Only the first 10,000 files are listed."));

  tools.replaceChildren(
    el("button", { type: "button", onclick: create }, t("New file")), el("button", { type: "button", onclick: () => chosen.click() }, t("Upload")), chosen,
    el("button", { type: "button", onclick: () => preview("") }, t("Preview the site")));
  const bench = el("div", { class: "scripts site-bench" },
    el("section", { class: "card", "aria-label": t("Files of the site") }, tree.element, more, el("p", { class: "small soft hint" }, t("Scripts are on the page Scripts. Names that begin with a dot are never served, and not listed."))),
    el("div", { class: "page" }, none, work));
  main.replaceChildren(bench);
  const ends = dropped(bench, (files, folder) => bring(files, folder));
  shell.atEnd(ends);

  const dirty = () => open && editor && editor.text() !== open.saved;
  const unsent = () => dirty() && editor.text() !== open.sent;
  let shownNow = true;
  shell.atEnd(() => { shownNow = false; });
  const isOpen = (which) => shownNow && which === open;

  function paint() {
    tree.set(listing.files);
    none.hidden = Boolean(open);
    work.hidden = !open;
  }

  function paintState() {
    if (!open) return shell.guard(null);
    save.disabled = !unsent();
    save.hidden = !editor;
    if (editor) state.textContent = unsent() ? t("Not saved.") : dirty() ? t("Saving…") : t("Saved. Visitors see it.");
    shell.guard(dirty() ? mayLeave : null);
  }

  async function mayLeave() {
    return !unsent() || shell.confirm(t`Leave ${open.path} without saving?`, t("Leave"));
  }

  const choosing = shell.choices();
  async function choose(path) {
    const isChosen = choosing();
    if (!(await mayLeave()) || !isChosen()) return;
    const left = editor && editor.text();
    try {
      await shell.whileShown(Promise.resolve(saving.get(path))); // its answer has the version that the next save replaces
      const file = await shell.read("site/read", { path });
      if (!isChosen()) return;
      const isAsBefore = !editor || editor.text() === left; // else the text was changed meanwhile
      if (!isAsBefore && (!(await mayLeave()) || !isChosen())) return;
      show(file);
    } catch (error) {
      if (!isChosen()) return;
      shell.toast(error.message, "bad");
      renew();
    }
  }

  function show(file) {
    if (editor) editor.destroy();
    editor = null;
    open = { path: file.path, version: file.version, saved: file.text ?? "", sent: null };
    shell.note({ file: open.path });
    title.textContent = open.path;
    other.replaceChildren();
    if (file.picture) other.append(el("img", { src: file.picture, alt: t`The picture ${open.path}`, class: "picture" }));
    place.hidden = file.text === null;
    if (file.text === null) {
      state.textContent = `${file.why} ${bytes(file.size)}.`;
    } else {
      editor = edit(place, { text: unsaved.get(open.path) ?? open.saved, label: t`Content of ${open.path}`, language: LANGUAGES[endingOf(open.path)] || "", changed: paintState, save: store, run: store });
      unsaved.delete(open.path);
    }
    paint();
    tree.reveal(open.path);
    paintState();
  }

  // One save at a time; one that is asked for meanwhile follows it.
  let again = false;
  async function store() {
    if (!open || !unsent()) return;
    again = open.sent !== null;
    if (again) return;
    const [which, text] = [open, editor.text()];
    which.sent = text;
    paintState();
    try {
      const answered = post("site/save", { path: which.path, text, version: which.version });
      saving.set(which.path, answered.catch(() => {}));
      const answer = await answered.finally(() => saving.delete(which.path));
      Object.assign(which, { version: answer.version, saved: text, sent: null });
      if (isOpen(which)) toast(t("Saved. Visitors see it."), "good");
    } catch (error) {
      which.sent = null;
      again = false;
      if (!isOpen(which)) {
        unsaved.set(which.path, text);
        return toast(t`${which.path} is not saved: ${error.message}. Your text is kept: open the file again.`, "bad");
      }
      paintState();
      if (error.status !== 409) return toast(error.message, "bad");
      await settle(which, error);
    }
    if (!shownNow) return;
    paintState();
    if (again && isOpen(which)) store();
    again = false;
    renew();
  }

  // Another tab or an editor was first: nothing is overwritten unless the owner says so.
  async function settle(which, { message, body }) {
    if (body.text === null) {
      which.version = body.version; // "": the next save makes it again
      return toast(t`${message}. Your text is still here: save again to put it there.`, "bad");
    }
    const takeOver = await shell.confirm(t`${message}. Load the file and lose what you wrote here?`, t("Load the file"));
    Object.assign(which, { version: body.version, saved: body.text }); // the next save puts ours in its place
    if (takeOver && isOpen(which)) show({ path: which.path, version: body.version, text: body.text, picture: "" });
  }

  const asking = shell.renewals();
  async function renew() {
    const isNews = asking();
    try {
      const next = await shell.get("site/files");
      if (!isNews()) return;
      listing = next;
      more.hidden = !listing.more;
      paint();
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  function asked(question, value, agree, does) {
    const id = freshId("path");
    const input = el("input", { id, value, required: true, autocomplete: "off", spellcheck: "false", class: "mono" });
    const done = shell.asking(question, el("label", { class: "field", for: id }, t("Path in the site, such as css/style.css"), input), agree, () => does(input.value.trim().replace(/^\/+/, "")));
    input.select();
    return done;
  }

  async function create() {
    if (!(await mayLeave())) return;
    const folder = open ? folderOf(open.path) : "";
    await asked(t("A new file"), folder ? `${folder}/` : "", t("Create"), async (path) => {
      await shell.post("site/save", { path, text: NEW[endingOf(path)] || "", version: "" });
      renew();
      show(await shell.read("site/read", { path }));
    });
  }

  function rename() {
    if (dirty()) return shell.toast(t("Save it first."), "bad");
    const which = open;
    return asked(t`A new path for ${which.path}`, which.path, t("Rename"), async (path) => {
      await shell.post("site/rename", { path: which.path, new_path: path });
      renew();
      if (isOpen(which)) show(await shell.read("site/read", { path }));
    });
  }

  async function remove() {
    const which = open;
    if (!(await shell.confirm(t`Delete ${which.path}? Visitors no longer get it.`, t("Delete")))) return;
    try {
      await shell.post("site/delete", { path: which.path, version: which.version || null });
    } catch (error) {
      shell.toast(error.message, "bad");
      return renew();
    }
    if (isOpen(which)) {
      choosing();
      editor?.destroy();
      open = editor = null;
      shell.note({});
      paintState();
    }
    await renew();
  }

  async function bring(files, folder) {
    let done = 0;
    for (const { path, file } of files) {
      const target = folder ? `${folder}/${path}` : path;
      try {
        if (file.size > UPLOAD_MAX_BYTES) throw new Error(t`${target} has ${bytes(file.size)}; the most is ${bytes(UPLOAD_MAX_BYTES)}`);
        if (await put(target, file)) done += 1;
      } catch (error) {
        toast(`${target}: ${error.message}`, "bad");
      }
      if (!shownNow) return;
    }
    if (done) shell.toast(many(done, "{0} file uploaded.", "{0} files uploaded."), "good");
    await renew();
    if (files.length === 1 && done && !dirty()) choose(folder ? `${folder}/${files[0].path}` : files[0].path);
  }

  async function put(path, file) {
    const send = (replace) => shell.whileShown(upload(`site/upload?path=${encodeURIComponent(path)}${replace ? "&replace=1" : ""}`, file));
    try {
      await send(false);
    } catch (error) {
      if (error.status !== 409) throw error;
      if (!(await shell.confirm(t`${path} is there already. Replace it?`, t("Replace")))) return false;
      await send(true);
    }
    return true;
  }

  // From then on pages that are open load themselves anew when a file is saved.
  async function preview(path) {
    const tab = window.open(`${site}${path.split("/").map(encodeURIComponent).join("/")}`, "_blank", "noopener");
    await shell.post("site/preview", { follow: true }).catch((error) => shell.toast(error.message, "bad"));
    return tab;
  }

  const look = () => document.hidden || renew();
  document.addEventListener("visibilitychange", look);
  shell.atEnd(() => document.removeEventListener("visibilitychange", look));
  paint();
  const wanted = shell.query.get("file");
  const files = listing.files.filter((one) => !one.folder);
  if (wanted) await choose(wanted);
  else if (files.length && matchMedia("(min-width: 60rem)").matches) await choose((files.find((one) => one.path === "index.html") || files[0]).path);
}
