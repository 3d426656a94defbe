// The card of Settings for this peer's picture: chosen from a file, cropped to a square here, and sent as a PNG or, if that is too large, a JPEG.
import { avatar } from "./avatars.js";
import { el, freshId } from "./dom.js";
import { t } from "./text.js";

const SIDES = [512, 256, 128]; // pixels; the first whose picture is small enough is taken
const MOST_BYTES = 256 * 1024;
const TYPES = ["image/png", "image/jpeg"];

/** The middle square of a picture as a file small enough; throws where the file is no picture that this browser shows. */
async function squared(file) {
  const bitmap = await createImageBitmap(file);
  const side = Math.min(bitmap.width, bitmap.height);
  for (const pixels of SIDES) {
    const canvas = el("canvas", { width: Math.min(pixels, side), height: Math.min(pixels, side) });
    const brush = canvas.getContext("2d");
    for (const type of TYPES) {
      if (type === "image/jpeg") { // it has no transparency
        brush.globalCompositeOperation = "destination-over";
        brush.fillStyle = "#ffffff";
        brush.fillRect(0, 0, canvas.width, canvas.height);
      } else brush.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
      const made = await new Promise((resolve) => canvas.toBlob(resolve, type, 0.9));
      if (made && made.size <= MOST_BYTES) return made;
    }
  }
  throw new Error("too large");
}

/** The card; `shell` is that of the page. */
export function pictureCard(shell) {
  const id = freshId("picture");
  const about = `${id}-about`;
  const state = el("p", { class: "small wrap", role: "status" });
  const input = el("input", { id, type: "file", accept: "image/png,image/jpeg,image/webp", "aria-describedby": about, onchange: choose });
  const removing = el("button", { type: "button", onclick: remove, hidden: true }, t("Remove the picture"));
  const place = el("div", { class: "avatar large" }); // as large before the picture is there
  let own = "";

  async function renew() {
    const { id: peer, avatar: hash } = await shell.get("who");
    own = peer;
    place.replaceChildren(avatar(own, hash, "large"));
    removing.hidden = !hash;
  }

  function say(words, bad = false) {
    state.textContent = words;
    state.className = `small wrap ${bad ? "level-error" : "soft"}`;
  }

  async function choose() {
    const [file] = input.files;
    input.value = ""; // the same file can be chosen again
    if (!file) return;
    say(t("Preparing the picture…"));
    let square;
    try {
      square = await squared(file);
    } catch {
      return say(t`“${file.name}” is no picture that this browser can show: choose a PNG, JPEG or WebP file.`, true);
    }
    await does(shell.post("avatar", square), t("This is your picture now. Other peers see it within seconds."));
  }

  function remove() {
    return does(shell.post("avatar/remove"), t("The picture is removed. Others see one made of your id."));
  }

  async function does(work, done) {
    try {
      await work;
      say(done);
      await renew();
    } catch (error) {
      say(error.message, true);
    }
  }

  shell.on("avatar", ({ peer }) => peer || renew());
  renew().catch((error) => say(error.message, true));
  return el("section", { class: "card" }, el("h2", {}, t("Your picture")),
    el("div", { class: "row" }, place, el("div", { class: "grow" },
      el("p", { class: "small soft", id: about }, t("Other peers see it beside your name. The middle of the picture is cut out as a square; it is saved as avatar.png in the peer’s folder, and everybody on the network may get it.")),
      el("div", { class: "row" }, el("label", { class: "field", for: id }, t("Choose a picture"), input), removing), state)));
}
