// Goop.ui.carousel(el): slides side by side, one seen. The style moves the track by --gc-slide, the number of the slide.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { make } = Goop.component;
  const SWIPE_PIXELS = 40;
  const AUTOPLAY_MS = 5000;

  /** carousel(el, {track, prev, next, dots, start, autoplay, loop, onChange}) → {goTo, next, prev, getValue, setValue, …}. `autoplay`: milliseconds, or true. */
  Goop.ui.carousel = function (el, options = {}) {
    const one = Goop.component("carousel", el, options);
    const [track, back, on, dots] = ["track", "prev", "next", "dots"].map(one.part);
    const { loop = true, activeClass = "active", autoplay = 0 } = options;
    const slides = () => (track ? [...track.children] : []);
    let index = 0;

    one.el.setAttribute("role", "group");
    one.el.setAttribute("aria-roledescription", t("carousel"));
    if (!one.el.hasAttribute("aria-label")) one.el.setAttribute("aria-label", t("Slides"));
    for (const [button, label] of [[back, t("Slide before")], [on, t("Slide after")]]) if (button && !/\w{3}/.test(button.textContent) && !button.hasAttribute("aria-label")) button.setAttribute("aria-label", label);

    function show(at) {
      const count = slides().length;
      if (!count) return;
      index = loop ? (((at % count) + count) % count) : Math.min(Math.max(at, 0), count - 1);
      for (const holder of [one.el, track]) holder.style.setProperty("--gc-slide", index);
      slides().forEach((slide, place) => {
        slide.classList.toggle(activeClass, place === index);
        slide.inert = place !== index;
        slide.setAttribute("aria-hidden", String(place !== index));
      });
      if (back) back.disabled = one.disabled || (!loop && index === 0);
      if (on) on.disabled = one.disabled || (!loop && index === count - 1);
      if (dots && dots.childElementCount !== count) {
        dots.replaceChildren(...slides().map((_, place) => {
          const dot = make("button", { type: "button", className: "gc-carousel-dot" });
          dot.setAttribute("aria-label", t("Slide {0} of {1}", place + 1, count));
          return dot;
        }));
      }
      if (dots) [...dots.children].forEach((dot, place) => {
        dot.classList.toggle(activeClass, place === index);
        dot.setAttribute("aria-current", String(place === index));
      });
    }
    function goTo(at) {
      const before = index;
      show(Number(at) || 0);
      if (index !== before) one.changed(index, { value: index, index });
    }
    const next = () => goTo(index + 1);
    const prev = () => goTo(index - 1);

    one.on(back, "click", prev);
    one.on(on, "click", next);
    one.on(dots, "click", (event) => {
      const at = [...dots.children].findIndex((dot) => dot.contains(event.target));
      if (at >= 0) goTo(at);
    });
    one.on(one.el, "keydown", (event) => {
      const work = { ArrowLeft: prev, ArrowRight: next }[event.key];
      if (!work || event.target.matches("input, textarea, select") || one.disabled) return;
      event.preventDefault();
      work();
    });
    let from = null;
    one.on(track, "pointerdown", (event) => (from = event.clientX));
    one.on(one.el, "pointerup", (event) => {
      if (from !== null && Math.abs(event.clientX - from) > SWIPE_PIXELS) goTo(index + (event.clientX < from ? 1 : -1));
      from = null;
    });
    // It moves by itself only while nobody is at it, and not for who prefers stillness.
    if (autoplay && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
      const timer = setInterval(() => !one.disabled && !document.hidden && !one.el.matches(":hover, :focus-within") && next(), autoplay === true ? AUTOPLAY_MS : Number(autoplay));
      one.after(() => clearInterval(timer));
    }
    show(Number(options.start) || 0);
    return one.handle({ goTo, next, prev, getValue: () => index, setValue: show });
  };
})();
