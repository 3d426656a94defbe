// Goop.realtime: a channel between this page and one of another peer. A page of a visited site has channels with its host alone.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { ANY, FUNCTION, NAME } = Goop.kinds;
  const INVITE = "realtime:invite";
  const ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
  const ID_CHARS = 8;
  const stream = Goop.stream("/api/mq/events", "connected");
  const channels = new Map(); // id → channel
  const everybody = new Set(); // of onMessage
  const incoming = new Set();
  let isHearing = false;

  const send = (peer, topic, payload) => Goop.request("mq/send", { peer_id: peer, topic, payload });

  function hear() {
    if (isHearing) return stream.heard();
    isHearing = true;
    stream.hear("message", ({ type, msg, from }) => {
      if (type !== "message" || !msg.topic.startsWith("realtime:")) return;
      if (msg.topic === INVITE) {
        const id = msg.payload && msg.payload.channel_id;
        if (typeof id === "string" && id) for (const listener of [...incoming]) listener({ channelId: id, hostPeerId: from });
        return;
      }
      const channel = channels.get(msg.topic.slice("realtime:".length));
      if (!channel || channel.remotePeer !== from) return; // whoever guesses a channel's id is not in it
      for (const listener of [...channel.listeners, ...everybody]) listener(msg.payload, { channel: channel.id, from });
    });
    return stream.heard();
  }

  function channelOf(id, remotePeer) {
    if (channels.has(id)) return channels.get(id);
    const listeners = new Set();
    const channel = {
      id,
      remotePeer,
      send: Goop.asks("realtime.send", { payload: ANY }, (payload) => send(remotePeer, `realtime:${id}`, payload)),
      onMessage: Goop.reads("realtime.onMessage", { listener: FUNCTION }, (listener) => listeners.add(listener) && (() => listeners.delete(listener))),
      offMessage: (listener) => (listener ? listeners.delete(listener) : listeners.clear()),
      close: () => channels.delete(id),
    };
    Object.defineProperty(channel, "listeners", { value: listeners });
    channels.set(id, channel);
    return channel;
  }

  const newId = () => `rt-${[...crypto.getRandomValues(new Uint8Array(ID_CHARS))].map((byte) => ID_LETTERS[byte % ID_LETTERS.length]).join("")}`;

  Goop.realtime = {
    /** Opens a channel with a peer, whose pages hear of it: {id, remotePeer, send(payload), onMessage(listener(payload, {channel, from})), offMessage, close}. */
    connect: Goop.asks("realtime.connect", { peer: NAME }, async (peer) => {
      await hear();
      const channel = channelOf(newId(), peer);
      try {
        await send(peer, INVITE, { channel_id: channel.id });
      } catch (error) {
        channel.close();
        throw error;
      }
      return channel;
    }),
    /** Takes part in a channel that another peer has opened. */
    accept: Goop.asks("realtime.accept", { channel: NAME, host: NAME }, async (id, host) => {
      await hear();
      return channelOf(id, host);
    }),
    channels: () => [...channels.values()],
    /** Calls `listener({channelId, hostPeerId})` when a peer opens a channel with this one; gives the function that ends it. */
    onIncoming: Goop.reads("realtime.onIncoming", { listener: FUNCTION }, (listener) => {
      incoming.add(listener);
      hear();
      return () => incoming.delete(listener);
    }),
    /** Calls `listener(payload, {channel, from})` with the messages of all channels. */
    onMessage: Goop.reads("realtime.onMessage", { listener: FUNCTION }, (listener) => {
      everybody.add(listener);
      hear();
      return () => everybody.delete(listener);
    }),
    offMessage: (listener) => (listener ? everybody.delete(listener) : everybody.clear()),
    /** Whether there is a channel: with that peer, or of that id; without one, any. */
    isConnected: (which) => [...channels.values()].some((channel) => which === undefined || channel.id === which || channel.remotePeer === which),
  };
})();
