// Goop.router: where in the site the page is, and going elsewhere in it.
(function () {
  "use strict";
  const Goop = (globalThis.Goop = globalThis.Goop || {});
  const base = () => (/^\/p\/[^/]+\//.exec(location.pathname) || ["/"])[0];

  Goop.router = {
    /** A value of the address's query; null when it is not there. */
    param: (name) => new URLSearchParams(location.search).get(name),
    /** All of them: {name: value}. */
    params: () => Object.fromEntries(new URLSearchParams(location.search)),
    /** The page's path below the site; "index.html" for the front page. */
    page: () => decodeURIComponent(location.pathname.slice(base().length)).replace(/(^|\/)$/, "$1index.html"),
    /** Goes to a page of this site, under /p/<peer id>/ where the page is there itself: go("post.html?id=7"), go("/"). */
    go(target) {
      const to = new URL(String(target).replace(/^\/+(?!p\/)/, ""), new URL(base(), location.href));
      if (to.origin !== location.origin) throw new TypeError(`Goop.router.go goes to a page of this site, not to ${to.origin}`);
      location.assign(to.href);
    },
    home: () => location.assign(base()),
  };
})();
