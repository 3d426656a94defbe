// Goop.group: groups of peers, hosted here or joined. A group is named by its id and its host; without a host it is one of the peer whose
// page this is, and a visited page is in groups of its own peer alone. Names, and what members say of themselves, are other people's text.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const listeners = new Set();
  let source;

  function tell(event) {
    const happened = { ...JSON.parse(event.data), ...(event.type === "invite" ? { type: "invite" } : {}) };
    for (const { group, listener } of [...listeners]) {
      if (group && group !== happened.group) continue;
      try {
        listener(happened);
      } catch (error) {
        console.error(error); // one listener's mistake is not the others'
      }
    }
  }

  // Resolves once events come, so that no answer is missed that follows.
  function listening() {
    if (!source) {
      source = new EventSource("/api/group/events"); // comes back by itself, and is told what it missed
      for (const kind of ["group", "invite"]) source.addEventListener(kind, tell);
    }
    if (source.readyState === EventSource.OPEN) return Promise.resolve();
    return new Promise((resolve) => {
      source.addEventListener("open", resolve, { once: true });
      source.addEventListener("error", resolve, { once: true });
    });
  }

  const after = async (path, body) => {
    if (listeners.size) await listening();
    return Goop.request(path, body);
  };

  Goop.group = {
    /** The groups this peer hosts or has joined: [{id, host, name, type, members, away, joined, max_members, volatile}]. */
    subscriptions: () => Goop.request("group/subscriptions"),
    /** Joins the group `group`; resolves with it once its host lets us in, rejects when it does not (full) or is away. */
    join: (group, host = "") => after("group/join", { group, host }),
    /** Sends `payload`, anything JSON can hold up to 64 KB, to everybody else in the group. */
    send: (group, payload, host = "") => after("group/send", { group, host, payload }),
    /** Leaves it. */
    leave: (group, host = "") => Goop.request("group/leave", { group, host }),
    /** Calls `listener({type, group, host, from, payload, members, message})` with what happens in `group`, or with what happens in all
     * groups: subscribe(listener). `type`: msg state members joined meta hosted away refused ended, for the owner also invite. `from` is
     * known where the group is hosted. Gives the function that ends it. */
    subscribe(group, listener) {
      const each = typeof group === "function" ? { group: "", listener: group } : { group, listener };
      listeners.add(each);
      listening();
      return () => {
        listeners.delete(each);
        if (!listeners.size && source) {
          source.close();
          source = undefined;
        }
      };
    },
    /** The owner's: a group hosted here, {type: "template", max_members: 0, volatile: false}. */
    create: (name, options = {}) => Goop.request("group/create", { name, ...options }),
    /** The owner's: the group hosted here is over. */
    close: (group) => Goop.request("group/close", { group }),
    /** The owner's: tells the peer `peer` that it may join. */
    invite: (group, peer) => Goop.request("group/invite", { group, peer }),
    /** The owner's: invitations that came: [{host, group, name, type}]. */
    invites: () => Goop.request("group/invites"),
  };
})();
