// Goop.ui.toast(el): messages that come and go, in an element of the page. Goop.ui.toast(text) is that of goop-ui.js, or works alone.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { make, classes } = Goop.component;
  const LEAVING_MS = 300; // as long as gc-toast-exit takes
  const PLAIN = Goop.ui.toast; // of goop-ui.js, when it was loaded before
  let own = null;

  function toasts(el, options = {}) {
    const one = Goop.component("toast", el, options);
    const { toastClass = "gc-toast", titleClass = "gc-toast-title", messageClass = "gc-toast-message", enterClass = "gc-toast-enter", exitClass = "gc-toast-exit" } = options;
    one.el.classList.add("gc-toast-container");
    if (!one.el.hasAttribute("role")) one.el.setAttribute("role", "status"); // read out when something is put in

    function leave(toast) {
      toast.classList.remove(...classes(enterClass));
      toast.classList.add(...classes(exitClass));
      setTimeout(() => toast.remove(), LEAVING_MS);
    }

    function show(what, kind = "") {
      const { title, message, duration = options.duration ?? 4000 } = what !== null && typeof what === "object" && !(what instanceof Error) ? what : { message: what instanceof Error ? what.message : what };
      const toast = make("div", { className: [toastClass, kind && `${classes(toastClass)[0]}-${kind}`, enterClass].filter(Boolean).join(" ") });
      if (kind) toast.dataset.kind = kind;
      if (title) toast.append(make("div", { className: titleClass, textContent: title }));
      if (message !== undefined && message !== null) toast.append(make("div", { className: messageClass, textContent: message }));
      if (!duration) toast.append(make("button", { type: "button", className: "gc-toast-close", textContent: t("Close"), onclick: () => leave(toast) }));
      one.el.append(toast);
      if (duration) setTimeout(() => leave(toast), duration);
      return toast;
    }

    const kinds = ["success", "error", "warning", "info"].map((kind) => [kind, (what) => show(what, kind)]);
    return Object.assign((what) => show(what), one.handle(Object.fromEntries(kinds)));
  }

  /** toast(el, options) → show(text or {title, message, duration}), with .success .error .warning .info .el .destroy. */
  Goop.ui.toast = function (what, options) {
    if (what instanceof Element) return toasts(what, options);
    if (PLAIN) return PLAIN(what, options);
    if (!own || !own.el.isConnected) own = toasts(document.body.appendChild(make("div")));
    return own(what);
  };
})();
