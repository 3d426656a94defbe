// Network: whether others can dial this peer, who is here and how it is connected, and connecting by address. Labels are other people's text.
import { avatar } from "../shell/avatars.js";
import { freshId } from "../shell/dom.js";
import { clock, duration, shortId } from "../shell/format.js";
import { filteredList } from "../shell/lists.js";
import { mix, t } from "../shell/text.js";

const REFRESH_MS = 3000; // latencies are measured anew while the page is looked at
const CALM_MS = 100; // several connections come or go at once
const REACHABLE = new Map([[true, ["good", t("reachable")]], [false, ["warn", t("not reachable")]], [null, ["", t("not known yet")]]]);

export async function show(main, shell) {
  const { el } = shell;
  const id = freshId("address");
  const input = el("input", { id, placeholder: "/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…", autocomplete: "off", spellcheck: "false", required: true });
  const state = el("p", { class: "wrap small", role: "status" });
  const [here, reach, own] = [el("div"), el("div", { "aria-live": "polite" }), el("div")];
  const peers = filteredList({ label: t("Find a peer"), make: row, keyOf: (one) => one.id, text: (one) => `${one.label} ${one.id}`, none: t("No other peers found.") });
  const typedIn = el("div");
  let last = "";
  const asking = shell.renewals();
  shell.on("network", shell.delayed(CALM_MS, renew)); // before the first answer, which begins the pings
  shell.on("gap", renew);
  const isNews = asking();
  const first = await shell.get("network");
  if (isNews()) paint(first);
  main.replaceChildren(
    el("h1", {}, t("Network")),
    el("section", { class: "card" }, el("h2", {}, t("Who is here")), here),
    el("section", { class: "card" }, el("h2", {}, t("Connect by address")),
      el("p", { class: "small soft" }, t("Peers on the same network find each other. Others are reached by address; this peer connects to them again at every start.")),
      el("form", { class: "row", onsubmit: connect }, el("label", { class: "field grow", for: id }, t("Address"), input), el("button", { type: "submit", class: "main" }, t("Connect"))), state, typedIn),
    el("section", { class: "card" }, el("h2", {}, t("This peer from outside")), reach, el("h3", {}, t("Its addresses")), own),
  );

  const connecting = shell.choices();
  async function connect(event) {
    event.preventDefault();
    const isLatest = connecting();
    const typed = input.value;
    say(t("Connecting…"));
    try {
      const found = await shell.post("network/connect", { address: typed.trim() });
      if (isLatest()) say(t`Connected to ${found.label}, ${shortId(found.peer)}.`);
      if (input.value === typed) input.value = "";
      await renew();
    } catch (error) {
      if (isLatest()) say(error.message, "level-error");
      else shell.toast(error.message, "bad");
    }
  }

  function say(text, kind = "soft") {
    state.className = `wrap small ${kind}`;
    state.textContent = text;
  }

  function row(peer) {
    return el("li", { class: "row apart" },
      avatar(peer.id, peer.avatar),
      el("div", { class: "grow wrap" },
        el("strong", {}, peer.label), " ", el("code", { class: "small soft", title: peer.id }, shortId(peer.id)), !peer.proved && el("span", { class: "badge warn" }, t("unconfirmed")),
        el("p", { class: "small soft wrap" }, way(peer), peer.email && [", ", el("bdi", { title: t("What this peer says its e-mail address is") }, peer.email)])),
      el("span", { class: "row" }, el("a", { class: "button", href: `#/chat?peer=${peer.id}`, "aria-label": t`Chat with ${peer.label}` }, t("Chat")), el("a", { class: "button", href: peer.site, target: "_blank", rel: "noopener", "aria-label": t`Visit ${peer.label}` }, t("Visit"))));
  }

  function way(peer) {
    const latency = peer.latency_ms === null ? null : [", ", el("span", { title: t("How long a ping takes to this peer and back") }, duration(peer.latency_ms))];
    if (peer.way === "direct") return [el("span", { class: "badge good" }, t("direct")), " ", el("span", { class: "mono" }, peer.address), latency];
    if (peer.way === "relayed") return [el("span", { class: "badge" }, t("relayed")), " ", mix("through {0}", el("code", { title: peer.relay }, shortId(peer.relay))), latency];
    return el("span", { class: "badge" }, t("not connected"));
  }

  function reached({ reachable, dialled_at: dialled, text }) {
    const [kind, word] = REACHABLE.get(reachable);
    return [
      el("p", { class: "wrap" }, el("span", { class: `badge ${kind}` }, word), " ", text),
      dialled.length > 0 && el("ul", { class: "list" }, dialled.map((one) => el("li", { class: "small wrap" },
        el("span", { class: "mono" }, one.address), one.private && [" ", t("(a private network)")], " ", mix("dialled by {0} at {1}", el("code", { title: one.by }, shortId(one.by)), clock(one.at))))),
    ];
  }

  function paint(network) {
    const text = JSON.stringify(network);
    if (text === last) return;
    last = text;
    const held = here.contains(document.activeElement) && document.activeElement.getAttribute("href");
    paintTyped(network.typed_in);
    if (!network.up) here.replaceChildren(el("p", { class: "soft" }, t("This peer is not on the network. “goop2 peer” connects a second after the start; a demo stays offline.")));
    else if (peers.element.parentNode !== here) here.replaceChildren(peers.element);
    peers.set(network.peers);
    if (held) [...here.querySelectorAll("a")].find((one) => one.getAttribute("href") === held)?.focus(); // somebody else came or went
    reach.replaceChildren(...(network.reach ? reached(network.reach).filter(Boolean) : [el("p", { class: "soft" }, t("This peer is not on the network."))]));
    own.replaceChildren(network.addresses.length ? el("ul", { class: "list" }, network.addresses.map((one) => el("li", { class: "mono small wrap" }, one))) : el("p", { class: "soft" }, t("None yet.")));
  }

  // What was typed in here or by goop2 connect, and is dialled at every start.
  function paintTyped(all) {
    typedIn.replaceChildren(...(all.length ? [el("h3", {}, t("Typed in")), el("ul", { class: "list" }, all.map((one) => el("li", { class: "row apart" },
      el("span", { class: "mono small wrap grow" }, `${one.address}/p2p/${one.peer}`),
      el("button", { type: "button", "aria-label": t`Forget ${one.address} of ${one.peer}`, onclick: () => forget(one) }, t("Forget")))))] : []));
  }

  async function forget(one) {
    if (!(await shell.confirm(t`Forget the addresses of ${shortId(one.peer)} that you have typed in? It is not dialled at the next start.`, t("Forget")))) return;
    try {
      paintTyped((await shell.post("network/forget", { peer: one.peer })).typed_in);
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  async function renew() {
    const isNews = asking();
    const network = await shell.get("network").catch(() => null);
    if (network && isNews()) paint(network);
  }
  shell.every(REFRESH_MS, renew);
}
