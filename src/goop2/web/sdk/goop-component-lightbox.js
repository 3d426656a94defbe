// Goop.ui.lightbox(el): pictures, one at a time, over the page.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { holdFocus, idOf, setShown, pressable } = Goop.component;
  const MARKUP = `<button type="button" class="gc-lightbox-close" aria-label="${t("Close")}">×</button>
    <button type="button" class="gc-lightbox-prev" aria-label="${t("Previous picture")}">‹</button>
    <figure><img class="gc-lightbox-img" alt=""><figcaption class="gc-lightbox-caption"></figcaption></figure>
    <button type="button" class="gc-lightbox-next" aria-label="${t("Next picture")}">›</button><div class="gc-lightbox-counter"></div>`;
  const SWIPE_PIXELS = 40;

  // A text, {src, caption, alt}, or an element with a picture.
  const itemOf = (what) => {
    if (typeof what === "string") return { src: what, caption: "", alt: "" };
    if (!(what instanceof Element)) return { caption: "", ...what };
    const image = what.matches("img") ? what : what.querySelector("img");
    const src = what.dataset.src || what.getAttribute("href") || (image && image.src) || "";
    return { src, caption: what.dataset.caption || what.title || (image && image.alt) || "", alt: (image && image.alt) || "" };
  };

  /** lightbox(el, {items, img, prev, next, close, caption, counter, loop, openClass, hiddenClass, onChange}) → {open(index), close, setItems, …}.
   * `items`: a list, or a selector of pictures in the page, which then open it. */
  Goop.ui.lightbox = function (el, options = {}) {
    const one = Goop.component("lightbox", el, options, MARKUP);
    const [image, prev, next, closer, caption, counter] = ["img", "prev", "next", "close", "caption", "counter"].map(one.part);
    const { loop = true, openClass = "open", hiddenClass = "hidden" } = options;
    let items = [];
    let index = 0;
    let release = null;

    one.el.setAttribute("role", "dialog");
    one.el.setAttribute("aria-modal", "true");
    if (caption) one.el.setAttribute("aria-describedby", idOf(caption));
    if (!one.el.hasAttribute("aria-label")) one.el.setAttribute("aria-label", t("Pictures"));
    const shown = (isShown) => setShown(one.el, isShown, { hiddenClass, openClass });

    function show(at) {
      if (!items.length) return;
      index = loop ? (at + items.length) % items.length : Math.min(Math.max(at, 0), items.length - 1);
      const { src, caption: text, alt } = items[index];
      if (image) Object.assign(image, { src, alt: alt || text || "" });
      if (caption) caption.textContent = text || "";
      if (counter) counter.textContent = `${index + 1} / ${items.length}`;
      if (prev) prev.disabled = !loop && index === 0;
      if (next) next.disabled = !loop && index === items.length - 1;
    }

    function go(at) {
      const before = index;
      show(at);
      if (index !== before) one.changed(index, { value: index, index });
    }

    function open(at = 0) {
      if (one.disabled || !items.length) return;
      show(Number(at) || 0);
      shown(true);
      if (!release) release = holdFocus(one.el, closer || undefined);
    }

    function close() {
      if (!release) return;
      shown(false);
      const back = release;
      release = null;
      back();
    }

    function setItems(list) {
      const those = typeof list === "string" ? [...document.querySelectorAll(list)] : [...(list || [])];
      items = those.map(itemOf);
      for (const [at, opener] of those.entries()) {
        if (opener instanceof Element) pressable(one, opener, (event) => event.preventDefault() || open(at));
      }
    }

    one.on(closer, "click", close);
    one.on(prev, "click", () => go(index - 1));
    one.on(next, "click", () => go(index + 1));
    one.on(one.el, "click", (event) => event.target === one.el && close());
    one.on(one.el, "keydown", (event) => {
      const work = { Escape: close, ArrowLeft: () => go(index - 1), ArrowRight: () => go(index + 1) }[event.key];
      if (!work) return;
      event.preventDefault();
      event.stopPropagation();
      work();
    });
    let from = null;
    one.on(image, "pointerdown", (event) => event.preventDefault() || (from = event.clientX));
    one.on(one.el, "pointerup", (event) => {
      if (from !== null && Math.abs(event.clientX - from) > SWIPE_PIXELS) go(index + (event.clientX < from ? 1 : -1));
      from = null;
    });
    one.after(close);
    shown(false);
    setItems(options.items);
    return one.handle({ open, close, setItems, getValue: () => index, setValue: show });
  };
})();
