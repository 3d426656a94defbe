// Goop.identity: who is looking at this page.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const SHOWN_CHARS = 6;
  let known;
  let viewer = null; // the same, once it has come

  function get() {
    if (known) return known;
    const mine = (known = Goop.request("identity"));
    mine.then((found) => mine === known && (viewer = found), () => mine === known && (known = undefined)); // it is asked again, and a later answer stays
    return mine;
  }

  const nameOf = (id, serverName) => (viewer && id && viewer.id === id ? t("You") : serverName || Goop.labels.get(id) || (id ? String(id).slice(-SHOWN_CHARS) : "???"));

  Goop.identity = {
    /** The viewer: {id, label, email}; asked once. */
    get,
    id: async () => (await get()).id,
    label: async () => (await get()).label,
    email: async () => (await get()).email,
    /** Asks again. */
    refresh() {
      known = undefined;
      return get();
    },
    /** What to call a peer: "You" for the viewer, else `serverName`, else what it is known by, else the end of its id. To await; a page that
     * puts it into a text at once gets what is known by then. */
    resolveName(peerId, serverName) {
      const now = nameOf(peerId, serverName);
      const later = () => get().then(() => nameOf(peerId, serverName), () => now);
      return Object.assign(new String(now), { then: (done, failed) => later().then(done, failed) });
    },
  };
})();
