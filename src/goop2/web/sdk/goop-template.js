// Goop.template: the manifest of the template that the own site was made of. Another peer's site gets nothing of it.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  let known;

  // Only the owner may ask: so for anybody else it is nothing, without a request that is refused.
  async function ask() {
    const { id } = await (Goop.identity ? Goop.identity.get() : Goop.request("identity"));
    const host = (/^\/p\/([^/]+)/.exec(location.pathname) || [])[1];
    return id === (host || id) && !id.startsWith("visitor-") ? Goop.request("template/settings") : {};
  }

  function get() {
    if (known) return known;
    const mine = (known = ask());
    mine.catch(() => mine === known && (known = undefined));
    return mine;
  }

  Goop.template = {
    /** The manifest: {name, description, category, icon, schemas, require_email, …}; {} where there is none. */
    get,
    /** Whether the site wants an e-mail address of its visitors. */
    requireEmail: async () => Boolean((await get()).require_email),
    /** Asks again. */
    refresh() {
      known = undefined;
      return get();
    },
  };
})();
