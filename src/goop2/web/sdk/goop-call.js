// Goop.call: calls with sound and picture are not in this program yet. Pages that offer them run: to call somebody fails with a sentence, and
// who calls is hung up on.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { FUNCTION } = Goop.kinds;
  const SENTENCE = "this peer cannot make calls yet: write a message instead";
  const CALLS = "call:";
  const answered = new Set(); // channels that were hung up
  let isHearing = false;

  function hangUp({ type, msg, from }) {
    if (type !== "message" || !msg.topic.startsWith(CALLS)) return;
    const channel = msg.topic.slice(CALLS.length);
    if (answered.has(channel)) return;
    answered.add(channel);
    Goop.request("mq/send", { peer_id: from, topic: msg.topic, payload: { type: "hangup", channel_id: channel, reason: SENTENCE } }).catch(() => {});
  }

  Goop.call = {
    /** Rejects: this peer cannot make calls. */
    start: async () => {
      throw new Goop.Error(SENTENCE, { code: "unavailable", status: 503 });
    },
    /** The listener is never called: on the owner's own pages whoever calls is hung up on. Gives the function that ends it. */
    onIncoming: Goop.reads("call.onIncoming", { listener: FUNCTION }, () => {
      if (isHearing) return () => {};
      isHearing = true;
      // The page of a visited site hears no calls: its stream carries the site's host alone, and no topic of calls.
      const end = Goop.stream("/api/mq/events", "connected").hear("message", hangUp);
      return () => {
        isHearing = false;
        end();
      };
    }),
    /** No call is going on. */
    getCall: () => null,
    activeCalls: () => [],
  };
})();
