// Goop.peers: who is on the network now. For the owner's own pages, and on a visited site of what concerns its host; a browser's visitor is
// refused. Labels are other people's text.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { FUNCTION, NUMBER, maybe, options } = Goop.kinds;
  const POLL_MS = 5000;
  const ends = new Set();
  const LISTENERS = options({ onSnapshot: FUNCTION, onUpdate: FUNCTION, onRemove: FUNCTION, onError: FUNCTION });

  async function list() {
    const peers = await Goop.request("peers");
    for (const { id, label } of peers) if (label && label !== id) Goop.labels.set(id, label);
    return peers;
  }

  // As pages of Goop2 listen: the whole list first, and then what is different each time it is looked at.
  function poll({ onSnapshot, onUpdate, onRemove, onError }, every) {
    let before = null; // id → the peer as JSON
    let isOver = false;
    async function look() {
      try {
        const peers = await list();
        if (isOver) return;
        const now = new Map(peers.map((peer) => [peer.id, JSON.stringify({ ...peer, LastSeen: "" })]));
        if (!before && onSnapshot) onSnapshot(peers);
        for (const peer of before ? peers : []) if (before.get(peer.id) !== now.get(peer.id) && onUpdate) onUpdate(peer.id, peer);
        for (const id of before ? before.keys() : []) if (!now.has(id) && onRemove) onRemove(id);
        before = now;
      } catch (error) {
        if (!isOver && onError) onError(error);
      }
    }
    look();
    const timer = setInterval(() => document.hidden || look(), Math.max(1000, every));
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }

  Goop.peers = {
    /** The peers that are here: [{id, label, online, …}]. */
    list,
    /** Calls `listener({id, label, online})` when one comes, goes or changes; gives the function that ends it, which is also its `close`. Also
     * subscribe({onSnapshot(peers), onUpdate(id, peer), onRemove(id), onError(error)}, 5000). */
    subscribe: Goop.reads("peers.subscribe", { listener: (value, place) => (value !== null && typeof value === "object" ? LISTENERS(value, place) : FUNCTION(value, place)), every: maybe(NUMBER) }, (listener, every = POLL_MS) => {
      const end = typeof listener === "function" ? Goop.hear("peer", listener) : poll(listener, every);
      const once = () => ends.delete(once) && end();
      ends.add(once);
      return Object.assign(once, { close: once });
    }),
    /** Ends all that subscribe began. */
    unsubscribe: () => [...ends].forEach((end) => end()),
  };
})();
