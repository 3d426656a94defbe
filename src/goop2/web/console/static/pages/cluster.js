// Cluster: other machines of the owner that run scripts for this peer. What a machine calls itself is shown as text.
import { filteredList } from "../shell/lists.js";
import { many, mix, t } from "../shell/text.js";

const REFRESH_MS = 2000; // calls come and go; machines say that they are there twice a second
const STATES = new Map([
  ["ready", ["good", t("ready")]], ["starting", ["", t("starting")]], ["leaving", ["", t("leaving")]], ["lost", ["warn", t("lost")]], ["refused", ["bad", t("refused")]],
]);
const SPILLS = new Map([
  ["auto", t("Scripts that compute or wait, and touch no data, run on other machines when no worker is idle here.")],
  ["all", t("Every script runs on another machine as long as one has a free slot.")],
  ["off", t("Nothing runs on other machines: cluster.spill is off.")],
]);

export async function show(main, shell) {
  const { el } = shell;
  const server = el("div", { "aria-live": "polite" });
  const machines = el("div");
  const lease = el("section", { class: "card", hidden: true });
  const list = filteredList({ label: t("Find a machine"), make: row, keyOf: (one) => `${one.key} ${one.host} ${one.state}`, text: (one) => `${one.name} ${one.host}`, none: t("No machine is there. “goop2 cluster invite NAME DIR” makes a key for one.") });
  let last = "";
  const asking = shell.renewals();
  const isNews = asking();
  const first = await shell.get("cluster");
  if (isNews()) paint(first);
  main.replaceChildren(el("h1", {}, t("Cluster")), el("section", { class: "card" }, el("h2", {}, t("Server")), server), lease, el("section", { class: "card" }, el("h2", {}, t("Machines")), machines));

  function row(node) {
    const [state, word] = STATES.get(node.state) || ["", node.state];
    return el("li", { class: "row apart" },
      el("div", { class: "grow wrap" },
        el("strong", {}, node.name), " ", el("span", { class: `badge ${state}` }, word), node.host !== node.name && [" ", el("bdi", { class: "small soft" }, node.host)],
        el("p", { class: "small soft wrap" }, t`${node.under_way} of ${node.slots} slots busy, ${many(node.calls, "{0} call", "{0} calls")}, ${node.losses} lost`),
        node.why && el("p", { class: "small level-error wrap" }, t`It is not used: ${node.why}`)));
  }

  // The lease by which the peer serves, and the machines that would take its place.
  function kept({ held, holder, age_seconds: age, term, trouble, standbys }) {
    return [
      el("h2", {}, t("Standby")),
      el("p", { class: "wrap" }, el("span", { class: `badge ${held ? "good" : "bad"}` }, held ? t("held here") : t("not held here")), " ",
        age === null ? t`Term ${term}, held by ${holder}.` : t`Term ${term}, held by ${holder}, renewed ${Math.round(age)} s ago.`),
      trouble && el("p", { class: "level-warn wrap" }, trouble),
      !standbys.length && el("p", { class: "soft wrap" }, t("No standby waits. “goop2 cluster invite NAME --standby DIR” makes a key for one.")),
      el("ul", { class: "list" }, standbys.map((one) => el("li", { class: "row apart" }, el("div", { class: "grow wrap" },
        el("strong", {}, one.name), " ", el("span", { class: `badge ${one.is_here ? "good" : "warn"}` }, one.is_here ? t("ready") : t("lost")),
        one.host !== one.name && [" ", el("bdi", { class: "small soft" }, one.host)],
        el("p", { class: "small soft wrap" }, t`${Math.round(one.behind_seconds)} s behind`),
        one.trouble && el("p", { class: "small level-error wrap" }, one.trouble))))),
    ].filter(Boolean);
  }

  function about({ server: address, connected, why, version, spill, calls, losses, put_back: back, breaches, under_way: busy }) {
    return [
      el("p", { class: "wrap" }, el("span", { class: `badge ${connected ? "good" : "warn"}` }, connected ? t("connected") : t("not connected")), " ", el("span", { class: "mono" }, address), version && ` nats-server ${version}`),
      why && el("p", { class: "level-warn wrap" }, t`Scripts run on this machine alone: ${why}.`),
      el("p", { class: "small soft wrap" }, SPILLS.get(spill)),
      el("p", { class: "small soft wrap" }, t`${many(calls, "{0} call", "{0} calls")} since the peer started, ${busy} under way, ${losses} lost with a machine, ${back} sent again since nobody was there, ${many(breaches, "{0} broken message", "{0} broken messages")}.`),
    ].filter(Boolean);
  }

  function paint({ is_set_up: isSetUp, cluster }) {
    const text = JSON.stringify(cluster);
    if (text === last) return;
    last = text;
    if (!isSetUp) {
      server.replaceChildren(el("p", { class: "soft wrap" }, mix("Scripts run on this machine alone. “goop2 cluster init DIR” lets other machines of yours run them too; {0} says how.", el("a", { href: "/docs/cluster", target: "_blank", rel: "noopener" }, t("the documentation")))));
      machines.replaceChildren(el("p", { class: "soft" }, t("None.")));
      return;
    }
    server.replaceChildren(...about(cluster));
    lease.hidden = !cluster.lease;
    lease.replaceChildren(...(cluster.lease ? kept(cluster.lease) : []));
    if (list.element.parentNode !== machines) machines.replaceChildren(list.element);
    list.set(cluster.nodes);
  }

  async function renew() {
    const isNews = asking();
    const found = await shell.get("cluster").catch(() => null);
    if (found && isNews()) paint(found);
  }
  shell.every(REFRESH_MS, renew);
}
