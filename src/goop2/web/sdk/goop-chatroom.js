// Goop.chatroom: rooms in which peers talk. A room is a group of type "chat": its host hands on what is said, and keeps the last hundred
// messages while it runs. A visited page is in rooms of its own peer alone. Names, and what members say, are other people's text.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { FUNCTION, NAME, TEXT, WHOLE, maybe } = Goop.kinds;
  const ACTIONS = { closed: "close" }; // the other actions have the same name on the wire

  const left = new Set(); // rooms that this page has left: that it is out of them is no news to it

  Goop.chatroom = {
    /** The owner's: opens a room; resolves with {id, name, description, host, members}. */
    create: Goop.asks("chatroom.create", { name: NAME, description: maybe(TEXT), most: maybe(WHOLE), context: maybe(TEXT) }, (name, description = "", most = 0, context = "") =>
      Goop.request("chat/rooms/create", { name, description, max_members: Number(most), context }),
    ),
    /** The owner's: the room is over. */
    close: Goop.asks("chatroom.close", { room: NAME }, (room) => Goop.request("chat/rooms/close", { group_id: room })),
    /** The rooms this peer hosts or is in: [{id, name, description, host, members}]. */
    rooms: () => Goop.request("chat/rooms"),
    /** Joins a room of the peer `host`; rejects when that does not let us in (full) or is away. */
    join: Goop.asks("chatroom.join", { host: NAME, room: NAME }, async (host, room) => {
      await Goop.heard(); // or what follows could be missed
      left.delete(room);
      return Goop.request("chat/rooms/join", { host_peer_id: host, group_id: room });
    }),
    /** Leaves it. */
    leave: Goop.asks("chatroom.leave", { room: NAME }, (room) => {
      left.add(room);
      return Goop.request("chat/rooms/leave", { group_id: room });
    }),
    /** Says `text` in the room. */
    send: Goop.asks("chatroom.send", { room: NAME, text: TEXT }, async (room, text) => {
      await Goop.heard(); // or an answer could be missed
      return Goop.request("chat/rooms/send", { group_id: room, text });
    }),
    /** The room and what was said there, oldest first: {room, messages: [{id, from, from_name, text, timestamp}]}. */
    state: Goop.asks("chatroom.state", { room: NAME }, (room) => Goop.request(`chat/rooms/state?group_id=${encodeURIComponent(room)}`)),
    /** Calls `listener(room, action, data)` with what happens in all rooms; `action`: msg (data.message), history (data.messages), members
     * (data.members), close. What this peer says itself comes too. Gives the function that ends it, which is also its `close`. */
    subscribe: Goop.reads("chatroom.subscribe", { listener: FUNCTION }, (listener) => {
      const end = Goop.hear("chatroom", ({ group, action: told, ...data }) => {
        const action = ACTIONS[told] || told;
        if (action !== "close" || !left.has(group)) listener(group, action, { action, ...data });
      });
      return Object.assign(end, { close: end });
    }),
  };
})();
