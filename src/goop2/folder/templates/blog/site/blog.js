// The blog in the browser: # is the list, #/tag/notes one of its tags, #/post/welcome a post. Everything comes through
// Goop.api, whose resources site/api.json declares; there is no script of ours on the peer.
import { sdk } from "./sdk.js";

const PAGE = 4;
const RESOURCES = { notes: "notes", stories: "stories", howtos: "howtos" };
const TAGS = { note: "Note", story: "Story", howto: "How-to" };

const at = (id) => document.getElementById(id);
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });

/** An element with properties and children. Texts become text, never markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Does something that may fail; says so, and gives undefined then. */
async function tried(work) {
  try {
    return await work();
  } catch (error) {
    Goop.ui.toast(error.message);
    return undefined;
  }
}

/** Tag, day and author of a post, as elements. SQLite's times are UTC, and do not say so. */
function meta(post) {
  const written = new Date(`${post._created_at.replace(" ", "T").replace(/Z$/, "")}Z`);
  const by = post.author ? ` · ${post.author}` : "";
  return [
    element("span", { className: post.tag === "story" ? "chip warm" : "chip", textContent: TAGS[post.tag] ?? post.tag }),
    element("span", { className: "soft small", textContent: day.format(written) + by }),
  ];
}

// The list

let page = 0;
let asked = 0;

function entry(post) {
  const link = element("a", { href: `#/post/${encodeURIComponent(post.slug)}`, textContent: post.title });
  return element(
    "li",
    { className: "card" },
    element("article", {}, element("p", { className: "row" }, ...meta(post)), element("h2", {}, link), element("p", { className: "soft", textContent: post.summary ?? "" })),
  );
}

async function showList(tag) {
  const mine = ++asked;
  const resource = RESOURCES[tag] ?? "latest";
  // One more than is shown tells whether there are older ones.
  const answer = await tried(() => Goop.api.list(resource, { limit: PAGE + 1, offset: page * PAGE }));
  if (!answer || mine !== asked) return;
  for (const link of document.querySelectorAll(".tag")) {
    if (link.hash === (tag ? `#/tag/${tag}` : "")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  at("posts").replaceChildren(...answer.items.slice(0, PAGE).map(entry));
  at("none").hidden = answer.items.length > 0 || page > 0;
  at("posts").hidden = !at("none").hidden;
  at("begin").hidden = Boolean(tag) || !mayWrite;
  at("newer").disabled = page === 0;
  at("older").disabled = answer.items.length <= PAGE;
  at("page").textContent = `Page ${page + 1}`;
  switchTo("list");
}

function turn(pages) {
  page += pages;
  route(false);
}

// A post

let open;

async function showPost(slug) {
  const mine = ++asked;
  const answer = await tried(() => Goop.api.get("posts", { slug }));
  if (!answer || mine !== asked) return;
  open = answer.found ? answer.item : undefined;
  const post = at("post");
  post.querySelector(".meta").replaceChildren(...(open ? meta(open) : []));
  post.querySelector("h2").textContent = open ? open.title : "There is no such post";
  const paragraphs = open ? open.text.split(/\n\s*\n/) : ["It may have been removed, or renamed."];
  post.querySelector(".text").replaceChildren(...paragraphs.map((text) => element("p", { textContent: text })));
  at("tools").hidden = !open || !mayWrite;
  switchTo("post");
}

function switchTo(id) {
  at("list").hidden = id !== "list";
  at("post").hidden = id !== "post";
}

// Writing: the owner's, as the table's policy says; the buttons are shown to whom it would not refuse

let mayWrite = false;

const slugOf = (title) =>
  title
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "") || "post";

function edit(post) {
  const dialog = at("editor");
  const fields = dialog.querySelector("form").elements;
  const from = location.hash;
  at("editor-title").textContent = post ? "Change a post" : "A new post";
  for (const name of ["title", "tag", "summary", "text"]) fields[name].value = post?.[name] ?? (name === "tag" ? "note" : "");
  ask(dialog, async () => {
    const data = Object.fromEntries(["title", "tag", "summary", "text"].map((name) => [name, fields[name].value.trim()]));
    const place = await save(post, data);
    if (location.hash === from && from !== place) location.hash = place;
    else route(false); // somewhere else by now, or there already
  });
}

let asking = 0; // dialogs shown: an answer that comes late closes none that was opened since

/** Shows `dialog` until `work` is done or it is called off: what was typed stays there meanwhile, and beside what was refused. */
function ask(dialog, work) {
  const mine = ++asking;
  const form = dialog.querySelector("form");
  const [fields, refused] = [form.querySelector(".fields"), form.querySelector(".refused")];
  const isOpen = () => mine === asking && dialog.open;
  fields.inert = false;
  refused.textContent = "";
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (fields.inert) return; // it is on its way
    const held = document.activeElement;
    fields.inert = true;
    refused.textContent = "";
    try {
      await work();
      if (isOpen()) dialog.close();
    } catch (error) {
      if (!isOpen()) return Goop.ui.toast(error.message);
      refused.textContent = error.message;
      fields.inert = false;
      held.focus();
    }
  };
  dialog.showModal();
}

/** Writes a post; gives the address it has then. */
async function save(post, data) {
  const slug = post ? post.slug : slugOf(data.title);
  if (post) await Goop.api.update("posts", post._id, data);
  else await Goop.api.insert("posts", { ...data, slug, author: await Goop.identity.label() });
  return `#/post/${encodeURIComponent(slug)}`;
}

async function remove() {
  const [post, from] = [open, location.hash];
  if (!(await Goop.ui.confirm(`Remove “${post.title}”?`))) return;
  if ((await tried(() => Goop.api.delete("posts", post._id))) && location.hash === from) location.hash = "";
}

async function addSamples() {
  const button = at("samples");
  button.disabled = true; // once
  try {
    const samples = await (await fetch("samples.json")).json();
    const author = await Goop.identity.label();
    for (const sample of samples) await Goop.api.insert("posts", { ...sample, author });
    await route(false);
  } finally {
    button.disabled = false;
  }
}

at("write").onclick = () => edit();
at("edit").onclick = () => edit(open);
at("remove").onclick = remove;
at("samples").onclick = () => tried(addSamples);
at("cancel").onclick = () => at("editor").close();
at("newer").onclick = () => turn(-1);
at("older").onclick = () => turn(1);

// Where we are

/** What stands in an address; one that was cut or mistyped is no post's name, and is looked for as it is. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function route(fromTheFirstPage = true) {
  const [, kind, name] = location.hash.split("/");
  if (fromTheFirstPage) page = 0;
  if (kind === "post" && name) await showPost(decoded(name));
  else await showList(kind === "tag" ? name : "");
}

await sdk("api", "identity", "ui");
// Older viewers have no such function; their reader is a visitor here.
const role = Goop.data.role && (await tried(() => Goop.data.role("posts")));
mayWrite = role?.insert === "all";
at("write").hidden = !mayWrite;
addEventListener("hashchange", () => route());
await route();
