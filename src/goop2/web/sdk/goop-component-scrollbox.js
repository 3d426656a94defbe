// Goop.ui.scrollbox(el): a box that scrolls by itself, for a chat or a log.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const NEAR_PIXELS = 40; // who is so near to the end wants to stay there

  /** scrollbox(el, {follow, onScroll}) → {scrollTo(element or pixels), scrollToBottom, isAtBottom, destroy, el}. `follow`: stays at the end when something is added. */
  Goop.ui.scrollbox = function (el, options = {}) {
    const one = Goop.component("scrollbox", el, options);
    one.el.classList.add("gc-scrollbox");
    one.el.tabIndex = 0; // scrolled by arrow keys
    if (!one.el.hasAttribute("role")) one.el.setAttribute("role", "region");
    if (!one.el.hasAttribute("aria-label") && !one.el.hasAttribute("aria-labelledby")) one.el.setAttribute("aria-label", t("Scrolls"));

    const still = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");
    const isAtBottom = () => one.el.scrollHeight - one.el.scrollTop - one.el.clientHeight < NEAR_PIXELS;
    const scrollToBottom = (behavior = "auto") => one.el.scrollTo({ top: one.el.scrollHeight, behavior: typeof behavior === "string" ? behavior : still() });
    function scrollTo(where, behavior = "auto") {
      const found = typeof where === "string" ? one.el.querySelector(where) : where;
      const top = found instanceof Element ? found.getBoundingClientRect().top - one.el.getBoundingClientRect().top + one.el.scrollTop : Number(found) || 0;
      one.el.scrollTo({ top, behavior });
    }

    if (typeof options.onScroll === "function") one.on(one.el, "scroll", () => options.onScroll({ top: one.el.scrollTop, isAtBottom: isAtBottom() }));
    if (options.follow) {
      let isFollowing = true;
      one.on(one.el, "scroll", () => (isFollowing = isAtBottom()));
      const watch = new MutationObserver(() => isFollowing && scrollToBottom());
      watch.observe(one.el, { childList: true, subtree: true });
      one.after(() => watch.disconnect());
    }
    return one.handle({ scrollTo, scrollToBottom, isAtBottom });
  };
})();
