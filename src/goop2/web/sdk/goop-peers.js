// Goop.peers: who is on the network now. For the owner's own pages; a visitor's page is refused. Labels are other people's text.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const listeners = new Set();
  let source;

  Goop.peers = {
    /** The peers that are here: [{id, label, online}]. */
    list: () => Goop.request("peers"),
    /** Calls `listener({id, label, online})` when one comes, goes or changes; gives the function that ends it. */
    subscribe(listener) {
      listeners.add(listener);
      if (!source) {
        source = new EventSource("/api/events");
        source.addEventListener("peer", (event) => {
          const peer = JSON.parse(event.data);
          for (const each of [...listeners]) {
            try {
              each(peer);
            } catch (error) {
              console.error(error); // one listener's mistake is not the others'
            }
          }
        });
      }
      return () => {
        listeners.delete(listener);
        if (!listeners.size && source) {
          source.close();
          source = undefined;
        }
      };
    },
  };
})();
