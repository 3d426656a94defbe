// Goop.group: groups of peers, hosted here or joined. A group is named by its id and its host; without a host it is one of the peer whose
// page this is, and a visited page is in groups of its own peer alone. Names, and what members say of themselves, are other people's text.
// Pages of Goop2 give the same functions their arguments in another order; a peer's id, a function and a payload tell which one is meant.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { ANY, FUNCTION, LIST, NAME, TEXT, WHOLE, maybe, options, refuse } = Goop.kinds;
  const PEER = /^(12D3Koo|16Uiu2HA|Qm)[1-9A-HJ-NP-Za-km-z]{30,}$/;
  const GROUP = /^(listen-)?[0-9a-f]{16,}$/;
  const MORE = options({ type: NAME, max_members: WHOLE, volatile: ANY, context: TEXT });
  const kindOrOptions = (value, given) => (typeof value === "string" ? { type: NAME(value, given) } : MORE(value, given));
  const joined = new Map(); // group this page has joined → its host, the current one last
  let heard = () => {}; // ends what `subscribe(listener)` began

  const current = () => [...joined.keys()].pop();
  const isGroup = (value) => typeof value === "string" && (joined.has(value) || GROUP.test(value));

  /** The group, payload and host that are meant: send(payload), send(payload, group), send(group, payload, host). */
  function message(given) {
    const [first, second] = given;
    const named = typeof first === "string" && given.length > 1 && !(isGroup(second) && !isGroup(first));
    if (named || (typeof first === "string" && second === undefined && !joined.size)) return given;
    const group = second === undefined || second === null ? current() : second;
    if (group === undefined && first !== undefined) refuse("Goop.group.send: group is missing: join one first, or name it");
    return first === undefined ? [] : [group, first, joined.get(group)];
  }

  const place = (group, host) => ({ group, host: host || "" });
  const said = Goop.reads("group.send", { group: NAME, payload: ANY, host: maybe(TEXT) }, (group, payload, host) => ({ ...place(group, host), payload }));
  const asked = Goop.reads("group.join", { group: NAME, host: maybe(TEXT) }, place);
  const left = Goop.reads("group.leave", { group: NAME, host: maybe(TEXT) }, place);
  const WIRE = { group: "group_id", peer: "peer_id" };
  const hosted = (name, kinds, path) => {
    const keys = Object.keys(kinds).map((key) => WIRE[key] || key);
    return Goop.asks(name, kinds, (...values) => Goop.request(path, Object.fromEntries(keys.map((key, index) => [key, values[index]]))));
  };

  Goop.group = {
    /** The groups this peer has joined: {subscriptions: [{host_peer_id, group_id, group_name, group_type, role, members, …}], active_groups}. */
    async subscriptions() {
      const { subscriptions, active_groups } = await Goop.request("groups/subscriptions");
      return { subscriptions: subscriptions || [], active_groups };
    },
    /** The owner's: the groups hosted here: [{id, name, group_type, default_role, roles, members: [{peer_id, role, name}], …}]. */
    list: () => Goop.request("groups"),
    /** Joins the group `group`; resolves with it once its host lets us in, rejects when it does not (full) or is away. Also join(host, group). */
    async join(...given) {
      const [group, host] = PEER.test(given[0]) && given[1] !== undefined ? [given[1], given[0]] : given;
      const body = asked(group, host);
      await Goop.heard(); // or what follows could be missed
      const found = await Goop.request("group/join", body);
      joined.delete(found.id);
      joined.set(found.id, found.host);
      return { status: "joined", ...found };
    },
    /** Sends `payload`, anything JSON can hold up to 64 KB, to everybody else in the group. Also send(payload), send(payload, group). */
    async send(...given) {
      const body = said(...message(given));
      await Goop.heard(); // or an answer could be missed
      await Goop.request("group/send", body);
      return { status: "sent" };
    },
    /** Leaves it; without a group the current one. */
    async leave(...given) {
      const group = given[0] === undefined && joined.size ? current() : given[0];
      const body = left(group, given[1] === undefined ? joined.get(group) : given[1]);
      await Goop.request("group/leave", body);
      joined.delete(group);
      return { status: "left" };
    },
    /** Calls `listener({type, group, host, from, payload, members, message})` with what happens in all groups, in the place of the last
     * such listener; with subscribe(group, listener) in one. `type`: msg state members welcome meta invite hosted away error close. `from` is
     * known where the group is hosted. Gives the function that ends it, which is also its `close`. */
    subscribe(group, listener) {
      if (typeof group === "function") {
        heard();
        const ends = [Goop.hear("group", group), Goop.hear("group-invite", (one) => group(invitation(one)))];
        return (heard = ending(() => ends.forEach((end) => end())));
      }
      NAME(group, "Goop.group.subscribe: group");
      FUNCTION(listener, "Goop.group.subscribe: listener");
      return ending(Goop.hear("group", (event) => event.group === group && listener(event)));
    },
    /** Ends what subscribe(listener) began. */
    unsubscribe: () => heard(),
    /** The owner's: a group hosted here, {type: "template", max_members: 0, volatile: false, context: ""}. Also create(name, type, most). */
    create: Goop.asks("group.create", { name: NAME, options: kindOrOptions, most: maybe(WHOLE) }, async (name, more, most) => {
      const made = await Goop.request("group/create", { name, ...more, ...(most === undefined ? {} : { max_members: Number(most) }) });
      return { status: "created", ...made };
    }),
    /** The owner's: the group hosted here is over. */
    close: hosted("group.close", { group: NAME }, "groups/close"),
    /** The owner's: this peer itself is on the list of the group hosted here, or no more. */
    joinOwn: hosted("group.joinOwn", { group: NAME }, "groups/join-own"),
    leaveOwn: hosted("group.leaveOwn", { group: NAME }, "groups/leave-own"),
    /** For the owner: invites the peer `peer`, which may then join. */
    invite: hosted("group.invite", { group: NAME, peer: NAME }, "groups/invite"),
    /** The owner's: the member `peer` is in the group no more, until it is invited again. */
    remove: hosted("group.remove", { group: NAME, peer: NAME }, "groups/kick"),
    /** The owner's: gives a member a role, new members a role, or names the roles there may be ([] for any). */
    setRole: hosted("group.setRole", { group: NAME, peer: NAME, role: NAME }, "groups/set-role"),
    setDefaultRole: hosted("group.setDefaultRole", { group: NAME, role: NAME }, "groups/set-default-role"),
    setRoles: hosted("group.setRoles", { group: NAME, roles: LIST }, "groups/set-roles"),
    /** The owner's: invitations that came: [{host, group, name, type}]. */
    invites: () => Goop.request("group/invites"),
    /** For the owner: refuses an invitation of `host`, which is not notified. */
    refuse: Goop.asks("group.refuse", { group: NAME, host: NAME }, (group, host) => Goop.request("group/refuse", { group, host })),
    /** The owner's: calls `listener({host, group, name, type})` when one comes; gives the function that ends it. */
    invited: Goop.reads("group.invited", { listener: FUNCTION }, (listener) => Goop.hear("group-invite", listener)),
  };

  function invitation({ host, group, name, type }) {
    return { type: "invite", group, host, from: host, payload: { group_id: group, group_name: name, host_peer_id: host, group_type: type } };
  }

  function ending(end) {
    return Object.assign(end, { close: end });
  }
})();
