// Goop.chat: messages with the peer whose page this is. A message that begins with ! is a command; its reply is a message back.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { TEXT, FUNCTION, WHOLE, maybe } = Goop.kinds;
  Goop.chat = {
    /** Sends `text` to the peer `peer`. */
    send: Goop.asks("chat.send", { peer: TEXT, text: TEXT }, async (peer, text) => {
      await Goop.heard(); // or its reply could be missed
      return Goop.request("chat/send", { peer, content: text });
    }),
    /** Sends `text` to every known peer. */
    broadcast: Goop.asks("chat.broadcast", { text: TEXT }, (text) => Goop.request("chat/broadcast", { content: text })),
    /** Calls `listener({from, content, type, timestamp})` with every message; gives the function that ends it. */
    subscribe: Goop.reads("chat.subscribe", { listener: FUNCTION }, (listener) => Goop.hear("chat", listener)),
    /** The newest messages with `peer`, oldest first; of those before the message whose id is `before`. */
    messages: Goop.asks("chat.messages", { peer: TEXT, before: maybe(WHOLE) }, (peer, before) =>
      Goop.request("chat/messages", { peer, before: before === undefined ? undefined : Number(before) }),
    ),
  };
})();
