// Goop.identity: who is looking at this page.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  let known;

  function get() {
    known =
      known ||
      Goop.request("identity").catch((error) => {
        known = undefined;
        throw error;
      });
    return known;
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
