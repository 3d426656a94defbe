// Goop.mq: messages between pages of two peers, under topics. A page of another peer's site reaches its host alone, under topics that begin with
// realtime: or chat.room: . What comes is another's text.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { ANY, FUNCTION, NAME, TEXT } = Goop.kinds;
  const stream = Goop.stream("/api/mq/events", "connected");
  const ends = new Set();

  const isMeant = (wanted, topic) => (wanted.endsWith("*") ? topic.startsWith(wanted.slice(0, -1)) : topic === wanted);

  Goop.mq = {
    /** Calls `listener(from, topic, payload, ack)` with messages under a topic, or under those that begin with it: "realtime:*". `ack()` tells
     * the sender that it was taken. Gives the function that ends it. */
    subscribe: Goop.reads("mq.subscribe", { topic: NAME, listener: FUNCTION }, (wanted, listener) => {
      const end = stream.hear("message", ({ type, msg, from }) => {
        if (type !== "message" || !isMeant(wanted, msg.topic)) return;
        listener(from, msg.topic, msg.payload, () => Goop.request("mq/ack", { msg_id: msg.id, from_peer_id: from }));
      });
      const once = () => ends.delete(once) && end();
      ends.add(once);
      return once;
    }),
    /** Sends `payload`, anything JSON can hold, to a peer: {msg_id, status: "delivered"}; rejects when it cannot be reached. */
    send: Goop.asks("mq.send", { peer: TEXT, topic: NAME, payload: ANY }, async (peer, topic, payload) => {
      await stream.heard(); // or an answer could be missed
      return Goop.request("mq/send", { peer_id: peer, topic, payload });
    }),
    /** Ends all that subscribe began. */
    unsubscribe: () => [...ends].forEach((end) => end()),
  };
})();
