// Goop.peers: who is on the network now. For the owner's own pages; a visitor's page is refused. Labels are other people's text.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { FUNCTION } = Goop.kinds;

  Goop.peers = {
    /** The peers that are here: [{id, label, online}]. */
    list: () => Goop.request("peers"),
    /** Calls `listener({id, label, online})` when one comes, goes or changes; gives the function that ends it. */
    subscribe: Goop.reads("peers.subscribe", { listener: FUNCTION }, (listener) => Goop.hear("peer", listener)),
  };
})();
