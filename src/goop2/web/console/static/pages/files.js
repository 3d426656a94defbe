// Files: what members of groups of type “files” share with each other. Names of files, groups and peers are other people's, and shown as text.
import { avatar } from "../shell/avatars.js";
import { freshId } from "../shell/dom.js";
import { bytes, moment, shortId } from "../shell/format.js";
import { many, mix, t } from "../shell/text.js";

const CALM_MS = 150; // several things happen at once
const REFRESH_MS = 15_000; // others share without telling us
const NAME_MAX = 200;

export async function show(main, shell) {
  const { el } = shell;
  let now = await shell.get("files");
  let place = shell.query.get("group") || "";
  let members = null; // what each member of the chosen group shares; null while it is asked for
  const asking = shell.renewals();
  const choosing = shell.choices();
  const busy = new Set();

  const text = (words) => el("bdi", {}, words);
  const placeOf = (one) => `${one.host} ${one.id}`;
  const chosen = () => now.groups.find((one) => placeOf(one) === place);
  const nameOf = (one) => one.name || one.id;
  const list = el("nav", { class: "script-list", "aria-label": t("Groups with files") });
  const title = el("h2", { tabindex: "-1" });
  const about = el("p", { class: "small soft wrap" });
  const ids = { file: freshId("file"), name: freshId("name") };
  const input = el("input", { id: ids.file, type: "file", multiple: true, onchange: share });
  const sharing = el("label", { class: "field", for: ids.file }, t("Share a file of yours"), input);
  const state = el("p", { class: "small wrap", role: "status" });
  const box = el("div", { class: "page" });
  const nothing = el("section", { class: "card" }, el("p", { class: "soft" }, mix("This peer is in no group of type “files”. Open one here, or join another peer’s on the page {0}, where the host invites its members too.", el("a", { href: "#/groups" }, t("Groups")))));
  const open = el("section", { class: "card sharing" }, title, about, sharing, state, box);
  main.replaceChildren(el("h1", {}, t("Files")), el("div", { class: "scripts" }, el("section", { class: "card" }, list, makeForm()), el("div", {}, open, nothing)));

  function makeForm() {
    const name = el("input", { id: ids.name, maxlength: NAME_MAX, required: true, autocomplete: "off" });
    const refused = el("p", { class: "small level-error wrap", role: "status" });
    const make = async (event) => {
      event.preventDefault();
      refused.textContent = "";
      const before = new Set(now.groups.map(placeOf));
      try {
        await shell.post("groups/do", { action: "create", name: name.value, type: "files" });
        name.value = "";
        now = await shell.get("files");
        const made = now.groups.find((one) => !before.has(placeOf(one)));
        await choose(made ? placeOf(made) : place);
      } catch (error) {
        refused.textContent = error.message;
      }
    };
    return el("details", {}, el("summary", {}, t("Open a group")), el("form", { onsubmit: make },
      el("label", { class: "field", for: ids.name }, t("Name"), name), el("button", { type: "submit", class: "main" }, t("Open it"))), refused);
  }

  function say(words, bad = false) {
    state.textContent = words;
    state.className = `small wrap ${bad ? "level-error" : "soft"}`;
  }

  async function share() {
    const [group, files] = [chosen(), [...input.files]];
    input.value = ""; // the same file can be chosen again
    for (const file of files) {
      if (file.size > now.file_max_bytes) {
        say(t`“${file.name}” has ${bytes(file.size)}; the most is ${bytes(now.file_max_bytes)}.`, true);
        return;
      }
      say(t`Sharing “${file.name}”…`);
      const asked = new URLSearchParams({ group: group.id, host: group.host, name: file.name });
      try {
        await shell.post(`files/share?${asked}`, file);
        say(t`“${file.name}” is shared.`);
      } catch (error) {
        say(error.message, true);
        return;
      }
    }
    await renew();
  }

  async function act(action, peer, name) {
    const [group, key] = [chosen(), `${action} ${peer} ${name}`];
    if (busy.has(key)) return;
    busy.add(key);
    say("");
    const isNews = asking();
    try {
      const next = await shell.post("files/do", { action, group: group.id, host: group.host, peer, name });
      if (isNews()) now = next;
    } catch (error) {
      say(error.message, true);
    }
    busy.delete(key);
    await renew();
  }

  async function remove(name) {
    if (await shell.confirm(mix("Share {0} no more? Your copy here is deleted; who has fetched it keeps it.", text(name)), t("Remove"))) await act("remove", now.id, name);
  }

  async function save(name) {
    try {
      const found = await shell.file(`files/content?${new URLSearchParams({ group: chosen().id, name })}`);
      const address = URL.createObjectURL(found);
      const link = el("a", { href: address, download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), REFRESH_MS);
    } catch (error) {
      say(error.message, true);
    }
  }

  function row(member, file) {
    const mine = member.id === now.id;
    const transfer = now.transfers.find((one) => one.group === chosen().id && one.peer === member.id && one.name === file.name);
    const coming = transfer?.state === "running";
    const label = (what) => `${what} ${file.name}`;
    const button = (words, does, props = {}) => el("button", { type: "button", "aria-label": label(words), dataset: { act: `${words} ${member.id} ${file.name}` }, onclick: does, ...props }, words);
    return el("li", { class: "row apart" },
      el("div", { class: "grow wrap" }, text(file.name), " ", el("span", { class: "small soft" }, `${bytes(file.size)}, ${moment(file.mod_time)}`),
        coming && el("div", { class: "row" }, el("progress", { class: "grow", max: String(file.size || 1), value: transfer.received, "aria-label": t`Progress of ${file.name}` }), el("span", { class: "small soft" }, t`${bytes(transfer.received)} of ${bytes(file.size)}`)),
        transfer?.state === "stopped" && el("p", { class: "small level-error wrap" }, transfer.problem)),
      el("span", { class: "row" },
        mine && button(t("Remove"), () => remove(file.name), { class: "danger" }),
        !mine && coming && button(t("Stop"), () => act("stop", member.id, file.name)),
        !mine && !coming && file.here && [el("span", { class: "badge good" }, t("fetched")), button(t("Save"), () => save(file.name))],
        !mine && !coming && !file.here && button(transfer?.state === "stopped" && transfer.received ? t("Go on") : t("Fetch"), () => act("fetch", member.id, file.name), { class: "main" })));
  }

  function section(member) {
    const mine = member.id === now.id;
    const who = mine ? t("Of this peer") : [avatar(member.id, ""), " ", member.label && text(member.label), member.label && " ", el("code", { class: "small soft", title: member.id }, shortId(member.id))];
    return el("section", {}, el("h3", {}, who),
      member.problem && el("p", { class: "small soft wrap" }, t`Its files cannot be listed now: ${member.problem}.`),
      member.files.length ? el("ul", { class: "list" }, member.files.map((file) => row(member, file))) : !member.problem && el("p", { class: "small soft" }, t("No files.")));
  }

  function paint() {
    if (!chosen()) place = now.groups.length ? placeOf(now.groups[0]) : "";
    const one = chosen();
    const held = document.activeElement;
    const [heldPlace, heldAct] = [list.contains(held) && held.dataset.place, box.contains(held) && held.dataset.act];
    list.replaceChildren(el("ul", {}, now.groups.map((each) => el("li", {}, el("a", {
      href: `#/files?group=${encodeURIComponent(placeOf(each))}`, dataset: { place: placeOf(each) }, "aria-current": placeOf(each) === place ? "true" : null,
      onclick: (event) => { event.preventDefault(); choose(placeOf(each)); } }, text(nameOf(each)), el("span", { class: "small soft" }, each.host === now.id ? t("of this peer") : mix("of {0}", text(each.label || shortId(each.host)))))))));
    open.hidden = !one;
    nothing.hidden = Boolean(one);
    if (!one) return;
    title.replaceChildren(text(nameOf(one)));
    about.replaceChildren(...[many(one.members, "{0} member here.", "{0} members here."), " ", !one.joined && [t("Its host is away."), " "], t`You share ${bytes(one.used_bytes)} of at most ${bytes(now.quota_bytes)}.`, " ",
      one.host === now.id && [el("a", { href: "#/groups" }, t("Invite members")), ". "], mix("Id {0}", el("code", {}, one.id))].flat(2).filter(Boolean));
    box.replaceChildren(...(members ? members.map(section) : [el("p", { class: "soft" }, t("Asking the members…"))]));
    if (heldPlace) [...list.querySelectorAll("[data-place]")].find((each) => each.dataset.place === heldPlace)?.focus();
    if (heldAct) ([...box.querySelectorAll("[data-act]")].find((each) => each.dataset.act === heldAct) || title).focus();
  }

  async function choose(next) {
    place = next;
    members = null;
    shell.note({ group: place });
    say("");
    paint();
    await ask();
  }

  async function ask() {
    const isChosen = choosing();
    const one = chosen();
    if (!one) return;
    try {
      const found = await shell.read("files/list", { group: one.id, host: one.host });
      if (!isChosen()) return;
      members = found;
      paint();
    } catch (error) {
      if (isChosen()) say(error.message, true);
    }
  }

  async function renew() {
    const isNews = asking();
    const next = await shell.get("files").catch(() => null);
    if (!next || document.querySelector("dialog[open]")) return; // the focus goes back to what opened it
    const ended = (of) => of.transfers.filter((each) => each.state === "done").length;
    const moved = JSON.stringify([next.groups, ended(next)]) !== JSON.stringify([now.groups, ended(now)]);
    if (!isNews()) return;
    const before = place;
    now = next;
    paint();
    if (moved || place !== before || !now.transfers.some((each) => each.state === "running")) await ask();
  }
  const soon = shell.delayed(CALM_MS, renew);

  shell.on("files", soon);
  shell.on("group", soon);
  shell.on("gap", renew);
  shell.every(REFRESH_MS, renew);
  paint();
  await ask();
}
