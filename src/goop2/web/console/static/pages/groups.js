// Groups: those hosted here with their members, those of other peers, and invitations. Names and labels are other people's text.
import { avatar } from "../shell/avatars.js";
import { freshId } from "../shell/dom.js";
import { shortId } from "../shell/format.js";
import { filteredList } from "../shell/lists.js";
import { many, mix, t } from "../shell/text.js";

const REFRESH_MS = 3000; // there is no event when a peer comes, goes or changes its label
const CALM_MS = 100; // several things happen at once
const NAMED = 6; // members of another peer's group that are named
const NAME_MAX = 200;
const ROLE_MAX = 64;

export async function show(main, shell) {
  const { el } = shell;
  let now = await shell.get("groups");
  const busy = new Set(); // what was pressed and is not answered yet
  const left = new Set(); // groups whose end is no news, since it was asked for here
  const asking = shell.renewals();

  const text = (words) => el("bdi", {}, words);
  const named = (group) => text(group.name || group.group || group.id);
  const who = ({ id, label }) => (id === now.id ? t("this peer") : [avatar(id, now.avatars[id]), " ", label && el("strong", {}, text(label)), label && " ", el("code", { class: "small soft", title: id }, shortId(id))]);
  const spoken = ({ id, label }) => label || shortId(id);
  const hostOf = ({ host, label }) => ({ id: host, label });
  const placeOf = (group) => `${group.host} ${group.group || group.id}`;

  const cards = {
    hosted: card(t("Groups of this peer"), hosted, t("No groups yet. What a member sends on a page goes to all other members."), makeForm()),
    invites: card(t("Invitations"), invitation, t("No invitations.")),
    joined: card(t("Groups of other peers"), joined, t("This peer is in no group of another peer."), joinForm()),
  };
  main.replaceChildren(el("h1", {}, t("Groups")), el("div", { class: "columns" }, cards.hosted.box, el("div", { class: "page" }, cards.invites.box, cards.joined.box)));

  function card(title, make, none, form = null) {
    const rows = filteredList({ label: t("Find a group"), make, keyOf: placeOf, text: (one) => `${one.name} ${one.id || one.group} ${one.label || ""}`, none });
    const [heading, state] = [el("h2", { tabindex: "-1" }, title), el("p", { class: "small level-error wrap", role: "status" })];
    return { box: el("section", { class: "card groups" }, heading, rows.element, state, form), heading, list: rows.element, set: rows.set, state };
  }

  /** Does it, once at a time; says under the list of `card` what was refused. Promise of whether it was done. */
  async function act(card, key, action, options, done = "") {
    if (busy.has(key)) return false;
    busy.add(key);
    card.state.textContent = "";
    paint();
    const isNews = asking();
    try {
      const next = await shell.post("groups/do", { action, ...options });
      if (isNews()) take(next);
      else renew();
      if (done) shell.toast(done);
      return true;
    } catch (error) {
      card.state.textContent = error.message;
      return false;
    } finally {
      busy.delete(key);
      paint();
    }
  }

  function button(words, key, label, does, props = {}) {
    return el("button", { type: "button", dataset: { act: key }, "aria-label": label, "aria-disabled": busy.has(key) ? "true" : null, onclick: does, ...props }, words);
  }

  // Hosted here.

  function makeForm() {
    const ids = { name: freshId("name"), type: freshId("type"), most: freshId("most") };
    const name = el("input", { id: ids.name, maxlength: NAME_MAX, required: true, autocomplete: "off" });
    const type = el("input", { id: ids.type, value: "template", maxlength: NAME_MAX, required: true, autocomplete: "off", spellcheck: "false", "aria-describedby": `${ids.type}-about` });
    const most = el("input", { id: ids.most, type: "number", min: 1, max: 1024, placeholder: t("no limit") });
    const make = async (event) => {
      event.preventDefault();
      const typed = name.value;
      if (!(await act(cards.hosted, "create", "create", { name: typed, type: type.value, max_members: Number(most.value) }))) return;
      if (name.value !== typed) return; // another one is being written
      name.value = "";
      name.focus();
    };
    return el("form", { onsubmit: make },
      el("div", { class: "row" },
        el("label", { class: "field grow", for: ids.name }, t("Name"), name), el("label", { class: "field short", for: ids.type }, t("Type"), type), el("label", { class: "field short", for: ids.most }, t("Members at most"), most), el("button", { type: "submit", class: "main" }, t("Create"))),
      el("p", { class: "small soft", id: `${ids.type}-about` }, t("Members of a group of type “template” may do with your tables what the policy “group” allows. Other types have the meaning your pages give them.")));
  }

  function hosted(group) {
    const about = [group.context && mix("for {0}", text(group.context)), !group.session && mix("new members are {0}", text(group.default_role))];
    const count = [group.count > 0 && many(group.count, "{0} member", "{0} members"), group.away > 0 && t`${group.away} away`, group.max_members && t`at most ${group.max_members}`];
    const unnamed = group.count - group.members.length;
    return el("li", {},
      el("div", { class: "row apart" }, el("h3", {}, named(group), " ", badge(group)), el("span", { class: "row" },
        !group.session && button(t("Roles"), `roles ${group.id}`, t`Roles of ${group.name}`, () => roles(group)),
        button(t("Invite"), `invite ${group.id}`, t`Invite a peer to ${group.name}`, () => invite(group)),
        group.session ? el("a", { class: "button", href: "#/listen" }, t("To the session")) : button(t("Close"), `close ${group.id}`, t`Close ${group.name}`, () => close(group), { class: "danger" }))),
      el("p", { class: "row small soft" }, count.some(Boolean) && el("span", {}, count.filter(Boolean).join(", ")), about.filter(Boolean).map((words) => el("span", { class: "wrap" }, words)), el("span", {}, mix("id {0}", el("code", {}, group.id))), button(t("Copy"), `copy ${group.id}`, t`Copy the id of ${group.name}`, () => shell.copy(group.id, t("Group id copied")), { class: "link" })),
      group.count ? el("ul", { class: "members" }, group.members.map((one) => member(group, one)), unnamed > 0 && el("li", { class: "small soft" }, t`${unnamed} more: “goop2 group members” lists them all`))
        : el("p", { class: "soft" }, t("No members. Peers that are invited, or know the id, can join.")));
  }

  function member(group, one) {
    const key = `remove ${group.id} ${one.id}`;
    return el("li", { class: "row apart" }, el("span", { class: "wrap" }, who(one)), el("span", { class: "row" },
      !one.here && el("span", { class: "badge" }, t("away")),
      !group.session && button(text(one.role), `role ${group.id} ${one.id}`, t`Role of ${spoken(one)} in ${group.name}: ${one.role}`, () => role(group, one), { class: "link", disabled: one.id === now.id ? true : null }),
      one.id !== now.id && button(t("Remove"), key, t`Remove ${spoken(one)} from ${group.name}`, () => remove(group, one, key))));
  }

  const badge = (group) => el("span", { class: "badge wrap" }, group.session ? t("listening session") : text(group.type));

  /** Roles that may be meant: those of the group, and those its members have. */
  const knownRoles = (group) => [...new Set([...group.roles, group.default_role, ...group.members.map((one) => one.role), "owner"])];

  /** A field for a role, with the known ones to choose from. */
  function roleField(label, group, value) {
    const [id, list] = [freshId("role"), freshId("roles")];
    const input = el("input", { id, value, list, maxlength: ROLE_MAX, required: true, autocomplete: "off", spellcheck: "false" });
    return [input, el("label", { class: "field", for: id }, label, input), el("datalist", { id: list }, knownRoles(group).map((one) => el("option", { value: one })))];
  }

  async function role(group, one) {
    const [input, ...parts] = roleField(t("Role"), group, one.role);
    const about = el("p", { class: "small soft" }, t("What a role may do with a table is set in the table’s “roles”. The role “owner” may do everything."));
    const end = el("p", { class: "row end" }, el("button", { value: "yes", class: "main" }, t("Save")), el("button", { value: "" }, t("Cancel")));
    if ((await shell.dialog(mix("Role of {0} in {1}", text(spoken(one)), named(group)), ...parts, about, end)) !== "yes") return;
    await act(cards.hosted, `role ${group.id} ${one.id}`, "set-role", { group: group.id, peer: one.id, role: input.value });
  }

  async function roles(group) {
    const [input, ...parts] = roleField(t("New members get"), group, group.default_role);
    const id = freshId("names");
    const names = el("input", { id, value: group.roles.join(", "), autocomplete: "off", spellcheck: "false", placeholder: t("any") });
    const about = el("p", { class: "small soft" }, t("Names with commas between them. Leave it empty to allow any role. Members keep the role they have."));
    const end = el("p", { class: "row end" }, el("button", { value: "yes", class: "main" }, t("Save")), el("button", { value: "" }, t("Cancel")));
    if ((await shell.dialog(mix("Roles in {0}", named(group)), ...parts, el("label", { class: "field", for: id }, t("Roles there may be"), names), about, end)) !== "yes") return;
    const given = names.value.split(",").map((one) => one.trim()).filter(Boolean);
    await act(cards.hosted, `roles ${group.id}`, "set-roles", { group: group.id, role: input.value, roles: given });
  }

  async function close(group) {
    const question = group.count ? mix("Close {0} for its {1}?", named(group), many(group.count, "{0} member", "{0} members")) : mix("Close {0}?", named(group));
    if (await shell.confirm(question, t("Close it"))) await act(cards.hosted, `close ${group.id}`, "close", { group: group.id });
  }

  async function remove(group, one, key) {
    const question = mix("Remove {0} from {1}? It is notified, and can join again only after a new invitation.", text(spoken(one)), named(group));
    if (await shell.confirm(question, t("Remove"))) await act(cards.hosted, key, "remove", { group: group.id, peer: one.id });
  }

  async function invite(group) {
    const members = new Set(group.members.map((one) => one.id));
    const free = now.peers.filter((one) => !members.has(one.id));
    const id = freshId("peer");
    const chosen = peerChoice(id, free);
    const parts = free.length
      ? [el("label", { class: "field", for: id }, t("Who is here"), chosen), el("p", { class: "row end" }, el("button", { value: "yes", class: "main" }, t("Invite")), el("button", { value: "" }, t("Cancel")))]
      : [el("p", { class: "soft" }, now.peers.length ? t("Everybody who is here is in it.") : t("Nobody else is here now. Who is shown on the page Network can be invited.")), el("p", { class: "row end" }, el("button", { value: "" }, t("Close")))];
    if ((await shell.dialog(mix("Invite to {0}", named(group)), ...parts)) !== "yes") return;
    const peer = free.find((one) => one.id === chosen.value);
    await act(cards.hosted, `invite ${group.id}`, "invite", { group: group.id, peer: peer.id }, t`Invited ${spoken(peer)}`);
  }

  const peerChoice = (id, peers) => el("select", { id, required: true }, peers.map((one) => el("option", { value: one.id }, one.label ? `${one.label} · ${shortId(one.id)}` : shortId(one.id))));

  // Of other peers.

  function joinForm() {
    const ids = { host: freshId("host"), group: freshId("group") };
    const host = el("input", { id: ids.host, required: true, autocomplete: "off", spellcheck: "false", placeholder: "12D3Koo…" });
    const group = el("input", { id: ids.group, required: true, autocomplete: "off", spellcheck: "false" });
    const join = async (event) => {
      event.preventDefault();
      const typed = [host.value, group.value];
      if (!(await act(cards.joined, "join", "join", { host: typed[0].trim(), group: typed[1].trim() }))) return;
      if (host.value === typed[0] && group.value === typed[1]) host.value = group.value = "";
    };
    return el("details", {}, el("summary", {}, t("Join by its id")),
      el("form", { class: "row", onsubmit: join },
        el("label", { class: "field grow", for: ids.host }, t("Peer that hosts it"), host),
        el("label", { class: "field grow", for: ids.group }, t("Id of the group"), group), el("button", { type: "submit" }, t("Join"))));
  }

  function joined(group) {
    const key = `leave ${placeOf(group)}`;
    const others = group.members.slice(0, NAMED).flatMap((one, index) => [index > 0 && ", ", one.id === now.id ? t("this peer") : text(spoken(one))]);
    const more = group.count > NAMED && [" ", t`and ${group.count - NAMED} more`];
    return el("li", {},
      el("div", { class: "row apart" }, el("h3", {}, named(group), " ", badge(group)), el("span", { class: "row" },
        group.session && el("a", { class: "button", href: "#/listen" }, t("To the session")),
        button(t("Leave"), key, t`Leave ${group.name || group.id}`, () => leave(group, key), { class: "danger" }))),
      el("p", { class: "small soft wrap" }, mix("Hosted by {0}.", el("span", {}, who(hostOf(group)))), !group.joined && [" ", t("It is away, and is asked again when it is back.")],
        group.context && [" ", mix("For {0}.", text(group.context))], group.role && [" ", mix("Your role: {0}.", text(group.role))]),
      group.count > 0 && el("p", { class: "small soft wrap" }, mix("Here: {0}", el("span", {}, others, more))));
  }

  async function leave(group, key) {
    if (!(await shell.confirm(mix("Leave {0}?", named(group)), t("Leave")))) return;
    left.add(placeOf(group));
    await act(cards.joined, key, "leave", { host: group.host, group: group.id });
  }

  function invitation(one) {
    const key = `invitation ${placeOf(one)}`;
    const place = { host: one.host, group: one.group };
    const about = t`${one.name || one.group} of ${spoken(hostOf(one))}`;
    return el("li", { class: "row apart" },
      el("div", { class: "grow" }, el("h3", {}, named(one), " ", badge(one)), el("p", { class: "small soft wrap" }, mix("From {0}", el("span", {}, who(hostOf(one)))))),
      el("span", { class: "row" },
        button(busy.has(key) ? t("Asking…") : t("Accept"), key, t`Accept: ${about}`, () => act(cards.invites, key, "join", place, one.session ? t("You hear it on the page Listening") : ""), { class: "main" }),
        button(t("Refuse"), `${key} no`, t`Refuse: ${about}`, () => act(cards.invites, `${key} no`, "refuse", place))));
  }

  // All of it.

  function fill({ list, heading, set }, entries) {
    const held = list.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    set(entries);
    if (held) ([...list.querySelectorAll("[data-act]")].find((one) => one.dataset.act === held) || heading).focus();
  }

  function paint() {
    fill(cards.hosted, now.hosted);
    fill(cards.invites, now.invites);
    fill(cards.joined, now.joined);
  }

  function take(next) {
    const changed = JSON.stringify(next) !== JSON.stringify(now);
    now = next;
    return changed;
  }

  async function renew() {
    const isNews = asking();
    const next = await shell.get("groups").catch(() => null);
    if (!next || document.querySelector("dialog[open]")) return; // the focus goes back to what opened it
    if (isNews() && take(next)) paint();
  }
  const soon = shell.delayed(CALM_MS, renew);
  function changed(change) {
    soon();
    if (change.what === "ended" && change.host !== now.id && !left.delete(placeOf(change))) {
      shell.toast(`${t`No longer in ${change.name || change.group}`}${change.message ? `: ${change.message}` : ""}`, change.message ? "bad" : "good");
    }
  }

  paint();
  shell.on("group", changed);
  shell.on("gap", renew);
  shell.every(REFRESH_MS, renew);
}
