// Goop.chat: messages with the peer whose page this is. A message that begins with ! is a command; its reply is a message back.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const listeners = new Set();
  let source;

  function tell(event) {
    const message = JSON.parse(event.data);
    for (const listener of [...listeners]) {
      try {
        listener(message);
      } catch (error) {
        console.error(error); // one listener's mistake is not the others'
      }
    }
  }

  // Resolves once events come, so that no reply is missed that follows.
  function listening() {
    if (!source) {
      source = new EventSource("/api/events"); // comes back by itself, and is told what it missed
      source.addEventListener("chat", tell);
    }
    if (source.readyState === EventSource.OPEN) return Promise.resolve();
    return new Promise((resolve) => {
      source.addEventListener("open", resolve, { once: true });
      source.addEventListener("error", resolve, { once: true });
    });
  }

  Goop.chat = {
    /** Sends `text` to the peer `peer`. */
    async send(peer, text) {
      if (listeners.size) await listening();
      return Goop.request("chat/send", { peer, content: text });
    },
    /** Sends `text` to every known peer. */
    broadcast: (text) => Goop.request("chat/broadcast", { content: text }),
    /** Calls `listener({from, content, type, timestamp})` with every message; gives the function that ends it. */
    subscribe(listener) {
      listeners.add(listener);
      listening();
      return () => {
        listeners.delete(listener);
        if (!listeners.size && source) {
          source.close();
          source = undefined;
        }
      };
    },
    /** The newest messages with `peer`, oldest first; of those before the message whose id is `before`. */
    messages: (peer, before) => Goop.request("chat/messages", { peer, before }),
  };
})();
