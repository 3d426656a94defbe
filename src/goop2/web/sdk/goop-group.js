// Goop.group: groups of peers, hosted here or joined. A group is named by its id and its host; without a host it is one of the peer whose
// page this is, and a visited page is in groups of its own peer alone. Names, and what members say of themselves, are other people's text.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { ANY, FUNCTION, NAME, TEXT, WHOLE, maybe, options } = Goop.kinds;

  Goop.group = {
    /** The groups this peer hosts or has joined: [{id, host, name, type, members, away, joined, max_members, volatile}]. */
    subscriptions: () => Goop.request("group/subscriptions"),
    /** Joins the group `group`; resolves with it once its host lets us in, rejects when it does not (full) or is away. */
    join: Goop.asks("group.join", { group: NAME, host: maybe(TEXT) }, async (group, host = "") => {
      await Goop.heard(); // or what follows could be missed
      return Goop.request("group/join", { group, host });
    }),
    /** Sends `payload`, anything JSON can hold up to 64 KB, to everybody else in the group. */
    send: Goop.asks("group.send", { group: NAME, payload: ANY, host: maybe(TEXT) }, async (group, payload, host = "") => {
      await Goop.heard(); // or an answer could be missed
      return Goop.request("group/send", { group, host, payload });
    }),
    /** Leaves it. */
    leave: Goop.asks("group.leave", { group: NAME, host: maybe(TEXT) }, (group, host = "") => Goop.request("group/leave", { group, host })),
    /** Calls `listener({type, group, host, from, payload, members, message})` with what happens in `group`, or in all groups:
     * subscribe(listener). `type`: msg state members joined meta hosted away refused ended. `from` is known where the group is hosted. Gives
     * the function that ends it. */
    subscribe(group, listener) {
      if (typeof group === "function") return Goop.hear("group", group);
      NAME(group, "Goop.group.subscribe: group");
      FUNCTION(listener, "Goop.group.subscribe: listener");
      return Goop.hear("group", (event) => event.group === group && listener(event));
    },
    /** The owner's: a group hosted here, {type: "template", max_members: 0, volatile: false}. */
    create: Goop.asks("group.create", { name: NAME, options: options({ type: NAME, max_members: WHOLE, volatile: ANY }) }, (name, more) =>
      Goop.request("group/create", { name, ...more }),
    ),
    /** The owner's: the group hosted here is over. */
    close: Goop.asks("group.close", { group: NAME }, (group) => Goop.request("group/close", { group })),
    /** For the owner: invites the peer `peer`, which may then join. */
    invite: Goop.asks("group.invite", { group: NAME, peer: NAME }, (group, peer) => Goop.request("group/invite", { group, peer })),
    /** The owner's: the member `peer` is in the group no more, until it is invited again. */
    remove: Goop.asks("group.remove", { group: NAME, peer: NAME }, (group, peer) => Goop.request("group/remove", { group, peer })),
    /** The owner's: invitations that came: [{host, group, name, type}]. */
    invites: () => Goop.request("group/invites"),
    /** For the owner: refuses an invitation of `host`, which is not notified. */
    refuse: Goop.asks("group.refuse", { group: NAME, host: NAME }, (group, host) => Goop.request("group/refuse", { group, host })),
    /** The owner's: calls `listener({host, group, name, type})` when one comes; gives the function that ends it. */
    invited: Goop.reads("group.invited", { listener: FUNCTION }, (listener) => Goop.hear("group-invite", listener)),
  };
})();
