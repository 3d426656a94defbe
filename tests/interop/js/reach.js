// Hole punching (DCUtR) and AutoNAT v2 with js-libp2p's own services, for tests/interop: prints JSON lines, as punch.go and autonat.go do.
//
//	node reach.js punch-callee RELAY OUTER           keeps a place at RELAY and answers: {"address": through it}, then {"ways", "remote"} whenever they change
//	node reach.js punch-caller ADDRESS OUTER SECS    asks the callee at once, and when it is connected directly or the time is over: {"ways", "answer"}
//	node reach.js autonat-server LISTEN              dials whoever asks: {"address"}
//	node reach.js autonat-client SERVER LISTEN OUTER asks to be dialled at OUTER: {"reachability": "Public" | "Private"}
//
// js-libp2p's TCP cannot dial from the port it listens on: Node sets no SO_REUSEPORT. So who punches here listens on no port at all and
// dials everything from one, LOCAL_PORT; OUTER is how the other side of the router sees that, which js-libp2p has to be told. As the one who
// is called it dials through the hole and then begins the handshake, as the other side does: what it says of its part (`initiator: false`)
// is lost between its DCUtR service and its upgrader (libp2p 3.3, connection-manager/dial-queue.js).
import { noise } from "@chainsafe/libp2p-noise";
import { autoNATv2 } from "@libp2p/autonat-v2";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { dcutr } from "@libp2p/dcutr";
import { identify } from "@libp2p/identify";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

const ORIGIN = "/test/origin";
const LOCAL_PORT = 4001;
const LOOK_MS = 50;
const PATIENCE_MS = 30_000;
const LIMITED = { runOnLimitedConnection: true }; // what goes through a relay is bounded
const [, , mode, first, second, third] = process.argv;

const say = (what) => console.log(JSON.stringify(what));
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const untilStdinEnds = () => process.stdin.on("end", () => process.exit(0)).resume();
const isRelayed = (connection) => connection.remoteAddr.toString().includes("/p2p-circuit");
const ways = (node, peer) => node.getConnections(peer).filter(({ status }) => status === "open").map((one) => (isRelayed(one) ? "relayed" : "direct")).sort();

const open = (addresses, dialOpts, services) =>
  createLibp2p({
    addresses,
    transports: [tcp({ dialOpts }), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ...services },
  });
const punching = (listen, outer) => open({ listen, appendAnnounce: [outer] }, { localPort: LOCAL_PORT }, { dcutr: dcutr() });

async function asked(node, peer) {
  const [connection] = node.getConnections(peer).filter(({ status }) => status === "open").sort((one, other) => isRelayed(one) - isRelayed(other));
  const stream = await connection.newStream(ORIGIN, { ...LIMITED, signal: AbortSignal.timeout(PATIENCE_MS) });
  let answer = "";
  await new Promise((resolve) => {
    stream.addEventListener("message", ({ data }) => { answer += Buffer.from(data.subarray()).toString(); });
    stream.addEventListener("remoteCloseWrite", resolve);
    stream.addEventListener("close", resolve);
    stream.close();
  });
  return answer;
}

const modes = {
  async "punch-callee"() {
    const node = await punching([`${first}/p2p-circuit`], second);
    await node.handle(ORIGIN, async (stream, connection) => {
      stream.send(Buffer.from(connection.remoteAddr.toString()));
      await stream.close();
    }, LIMITED);
    const relay = multiaddr(first).getComponents().at(-1).value;
    const changed = ({ detail: connection }) => {
      const peer = connection.remotePeer;
      if (peer.toString() !== relay) say({ ways: ways(node, peer), remote: connection.remoteAddr.toString(), peer: peer.toString() });
    };
    for (const event of ["connection:open", "connection:close"]) node.addEventListener(event, changed);
    while (!node.getMultiaddrs().some((one) => one.toString().includes("/p2p-circuit"))) await pause(LOOK_MS);
    say({ address: `${first}/p2p-circuit/p2p/${node.peerId}` });
    untilStdinEnds();
  },

  async "punch-caller"() {
    const node = await punching([], second);
    const { remotePeer: peer } = await node.dial(multiaddr(first), { signal: AbortSignal.timeout(PATIENCE_MS) });
    say({ ways: ways(node, peer), answer: await asked(node, peer) });
    for (const end = Date.now() + 1000 * Number(third); Date.now() < end && !ways(node, peer).includes("direct"); ) await pause(LOOK_MS);
    say({ ways: ways(node, peer), answer: await asked(node, peer) });
    untilStdinEnds();
  },

  async "autonat-server"() {
    const node = await open({ listen: [first] }, {}, { autoNAT: autoNATv2() });
    say({ address: `${first}/p2p/${node.peerId}` });
    untilStdinEnds();
  },

  async "autonat-client"() {
    const node = await open({ listen: [second] }, {}, { autoNAT: autoNATv2() });
    // As identify would after others have told it: the only way that such an address is one to be verified.
    node.components.addressManager.addObservedAddr(multiaddr(third));
    await node.dial(multiaddr(first), { signal: AbortSignal.timeout(PATIENCE_MS) });
    const is = ({ multiaddr: one }) => one.toString().startsWith(third);
    const verified = () => node.components.addressManager.getAddressesWithMetadata().some((one) => is(one) && one.verified && one.lastVerified);
    const results = () => [...node.services.autoNAT.client.dialResults.values()].filter(is);
    const came = () => verified() || results().some(({ success }) => success > 0);
    while (!came() && !results().some(({ failure }) => failure > 0)) await pause(LOOK_MS);
    say({ reachability: came() ? "Public" : "Private" });
    untilStdinEnds();
  },
};
await modes[mode]();
