// The pictures of peers. Each is asked for when it comes into sight, once for each peer and hash, and shown as a data address: the console's
// policy lets no other picture in. A picture is other people's; nothing in it can run in an <img>.
import { file } from "./api.js";
import { el } from "./dom.js";
import { events } from "./events.js";

const shown = new Map(); // peer and hash → promise of the picture's address
const waiting = new WeakMap(); // element → what to ask for when it is seen
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) load(target);
});

const address = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = reject;
  reader.readAsDataURL(blob);
});

function load(picture) {
  seen.unobserve(picture);
  const { peer, key } = waiting.get(picture);
  if (!shown.has(key)) shown.set(key, file(`avatar?peer=${encodeURIComponent(peer)}`).then(address));
  shown.get(key).then((found) => { picture.src = found; }, () => shown.delete(key));
}

/** The picture of a peer beside its name; `hash` is the name of the picture, so that a new one is asked for. */
export function avatar(peer, hash, size = "") {
  const picture = el("img", { class: `avatar ${size}`.trim(), alt: "", draggable: "false", dataset: { peer } });
  const key = `${peer} ${hash || ""}`;
  waiting.set(picture, { peer, key });
  if (shown.has(key)) load(picture);
  else seen.observe(picture);
  return picture;
}

// A picture that has come meanwhile, or was replaced: whoever is shown gets it at once.
events.on("avatar", ({ peer }) => {
  for (const key of [...shown.keys()]) if (!peer || key.startsWith(`${peer} `)) shown.delete(key);
  for (const picture of document.querySelectorAll("img.avatar")) if (!peer || picture.dataset.peer === peer) load(picture);
});
