// Goop.call: calls with sound and picture are not in this program yet. Pages that offer them run: to call somebody fails with a sentence. Who
// calls is hung up on by the peer itself (protocols/calls.py), before any page hears of it.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { FUNCTION } = Goop.kinds;
  const SENTENCE = "this peer cannot make calls yet: write a message instead";

  Goop.call = {
    /** Rejects: this peer cannot make calls. */
    start: async () => {
      throw new Goop.Error(SENTENCE, { code: "unavailable", status: 503 });
    },
    /** The listener is never called, since the peer hangs up. Gives the function that ends it. */
    onIncoming: Goop.reads("call.onIncoming", { listener: FUNCTION }, () => () => {}),
    /** No call is going on. */
    getCall: () => null,
    activeCalls: () => [],
  };
})();
