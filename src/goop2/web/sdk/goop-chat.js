// Goop.chat: messages with the peer whose page this is. A message that begins with ! is a command; its reply is a message back.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { TEXT, FUNCTION, WHOLE, maybe } = Goop.kinds;
  const BROADCASTS_MAX = 100;
  const said = []; // broadcasts this page has heard: the peer keeps none
  let isAsked = false; // broadcasts was called: it listens from then on
  let forget = null; // ends the listening for broadcasts
  const ends = new Set();

  const shown = (message) => ({ ...message, type: message.type === "broadcast" ? "broadcast" : "direct" });
  const keep = (message) => message.type === "broadcast" && said.push(message) > BROADCASTS_MAX && said.shift();
  function remember(isWanted) {
    if (isWanted && !forget) forget = Goop.hear("chat", keep);
    if (isWanted || !forget) return;
    forget();
    forget = null;
  }

  Goop.chat = {
    /** Sends `text` to the peer `peer`. */
    send: Goop.asks("chat.send", { peer: TEXT, text: TEXT }, async (peer, text) => {
      await Goop.heard(); // or its reply could be missed
      return Goop.request("chat/send", { peer, content: text });
    }),
    /** Sends `text` to every known peer. */
    broadcast: Goop.asks("chat.broadcast", { text: TEXT }, (text) => Goop.request("chat/broadcast", { content: text })),
    /** The broadcasts this page has heard, oldest first; it listens while something is subscribed, and from the first call of this. */
    broadcasts: async () => {
      isAsked = true;
      remember(true);
      return said.map(shown);
    },
    /** Calls `listener({from, content, type, timestamp})` with every message; `type` is "direct" or "broadcast". Gives the function that ends
     * it, which is also its `close`. */
    subscribe: Goop.reads("chat.subscribe", { listener: FUNCTION }, (listener) => {
      const end = Goop.hear("chat", (message) => listener(shown(message)));
      const once = () => {
        if (!ends.delete(once)) return;
        end();
        remember(isAsked || ends.size > 0);
      };
      remember(true);
      ends.add(once);
      return Object.assign(once, { close: once });
    }),
    /** Ends all that subscribe began. */
    unsubscribe: () => [...ends].forEach((end) => end()),
    /** The newest messages with `peer`, oldest first; of those before the message whose id is `before`. */
    messages: Goop.asks("chat.messages", { peer: TEXT, before: maybe(WHOLE) }, async (peer, before) =>
      (await Goop.request("chat/messages", { peer, before: before === undefined ? undefined : Number(before) })).map(shown),
    ),
  };
})();
