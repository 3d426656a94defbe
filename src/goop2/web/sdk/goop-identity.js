// Goop.identity: who is looking at this page.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  let known;

  function get() {
    if (known) return known;
    const mine = (known = Goop.request("identity"));
    mine.catch(() => mine === known && (known = undefined)); // it is asked again, and a later answer stays
    return mine;
  }

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
  };
})();
