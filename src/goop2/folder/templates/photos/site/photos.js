// The photos in the browser: small in a grid, large in Goop.ui.lightbox. The owner's page makes a picture smaller, uploads it (Goop.site) and tells
// photos.lua of it.
import { isElsewhere, sdk } from "./sdk.js";

const SIDE_MAX = 2000; // pixels
const QUALITY = 0.85;
const site = (/^\/p\/[^/]+\//.exec(location.pathname) || ["/"])[0]; // pictures are below it, wherever in the site this page is

const ask = (...asked) => Goop.data.api("photos")(...asked);
const at = (id) => document.getElementById(id);
const captioned = { title: "What is to be seen?", placeholder: "Low tide, with the dog", okText: "Save" };

let isOwner = false;
let box = null;

/** An element with properties and children. Texts become text, never markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** What went wrong, in words for the reader: an error of a script begins with the script and the line. */
const said = (error) => (error.code === "rate_limited" ? "Not so fast: try again in a minute." : error.message.replace(/^[\w-]+:\d+: /, ""));

/** Does something that may fail; says so, and gives false then. */
async function tried(work) {
  try {
    await work();
    return true;
  } catch (error) {
    Goop.ui.toast(said(error));
    return false;
  }
}

function entry(photo, place) {
  const words = photo.caption || `Photo ${place + 1}`;
  const image = element("img", { src: site + photo.path, alt: words, width: photo.width, height: photo.height, loading: "lazy" });
  const link = element("a", { className: "photo", href: site + photo.path }, image);
  if (box) link.onclick = (event) => event.preventDefault() || box.open(place);
  const line = element("li", {}, link);
  if (photo.caption) line.append(element("p", { textContent: photo.caption }));
  if (isOwner) {
    const button = (text, onclick) => element("button", { className: "plain", textContent: text, ariaLabel: `${text}: ${words}`, onclick });
    line.append(element("div", { className: "row" }, button("Caption", () => describe(photo)), button("Remove", () => remove(photo))));
  }
  return line;
}

async function show() {
  const known = await ask("list");
  isOwner = known.owner && !isElsewhere;
  if (isOwner && !Goop.site) await sdk("site");
  at("adding").hidden = !isOwner;
  box = box || Goop.ui.lightbox?.(at("lightbox"), {}); // without it a photo opens as a page
  box?.setItems(known.photos.map(({ path, caption }) => ({ src: site + path, caption, alt: caption || "" })));
  at("photos").replaceChildren(...known.photos.map(entry));
  at("none").hidden = known.photos.length > 0;
  at("app").hidden = false;
}

async function describe(photo) {
  const caption = await Goop.ui.prompt({ ...captioned, value: photo.caption ?? "" });
  if (caption !== null) await tried(async () => show(await ask("describe", { id: photo._id, caption })));
}

async function remove(photo) {
  if (!(await Goop.ui.confirm(`Remove ${photo.caption ? `“${photo.caption}”` : "this photo"}?`))) return;
  await tried(async () => {
    await ask("remove", { id: photo._id });
    await Goop.site.remove(photo.path).catch(() => {}); // it may have been removed by hand
    await show();
  });
}

// Uploading

/** The picture as a JPEG of at most SIDE_MAX pixels a side, drawn anew: what the camera has written beside it stays here. */
async function made(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} is no picture that this browser knows.`);
  });
  const scale = Math.min(1, SIDE_MAX / Math.max(bitmap.width, bitmap.height));
  const canvas = element("canvas", { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
  const drawing = canvas.getContext("2d");
  drawing.fillStyle = "#fff"; // a JPEG has nothing that shows through
  drawing.fillRect(0, 0, canvas.width, canvas.height);
  drawing.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return { blob, width: canvas.width, height: canvas.height };
}

const newName = () => `${Date.now().toString(36)}-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;

async function upload(file, caption) {
  const { blob, width, height } = await made(file);
  const path = `images/${newName()}.jpg`;
  await Goop.site.upload(path, new File([blob], path.slice(7), { type: "image/jpeg" }));
  try {
    await ask("add", { path, caption, width, height });
  } catch (error) {
    await Goop.site.remove(path).catch(() => {}); // nobody would know of it
    throw error;
  }
}

at("add").onclick = () => at("files").click();
at("files").onchange = async () => {
  const files = [...at("files").files];
  at("files").value = "";
  at("add").disabled = true;
  let added = 0;
  for (const [place, file] of files.entries()) {
    at("progress").textContent = `Adding photo ${place + 1} of ${files.length} …`;
    // A name that a camera gave says nothing.
    const caption = files.length === 1 ? await Goop.ui.prompt(captioned) : "";
    if (await tried(() => upload(file, caption ?? ""))) added += 1;
  }
  at("progress").textContent = added === 1 ? "1 photo added." : `${added} photos added.`;
  at("add").disabled = false;
  at("add").focus();
  await tried(show);
};

await sdk("component-lightbox", "ui");
await tried(show);
