// Circuit relay v2 with js-libp2p's own relay and client, for tests/interop, as relay.go has them:
//
//	node relay.js relay [LISTEN]    is a relay there, on loopback if nothing is said: prints its address
//	node relay.js hidden RELAY      listens nowhere but through RELAY and serves its label: prints its address through the relay
//	node relay.js through ADDRESS   reads a label through a relay (…/p2p-circuit/p2p/…), and prints it and whom it was connected to
import { noise } from "@chainsafe/libp2p-noise";
import { circuitRelayServer, circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { identify } from "@libp2p/identify";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

const LABEL = "/goop/content/1.0.0";
const PATIENCE_MS = 30_000;
const LIMITED = { runOnLimitedConnection: true }; // what goes through a relay is bounded
const [, , mode, address = "/ip4/127.0.0.1/tcp/0"] = process.argv;
const signal = AbortSignal.timeout(PATIENCE_MS);

const open = (listen, services = {}) =>
  createLibp2p({
    addresses: { listen },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false }, // addresses of loopback too
    services: { identify: identify(), ...services },
  });
const untilStdinEnds = () => process.stdin.on("end", () => process.exit(0)).resume();

const modes = {
  async relay() {
    const node = await open([address], { relay: circuitRelayServer() });
    console.log(node.getMultiaddrs()[0].toString());
    untilStdinEnds();
  },

  async hidden() {
    const node = await open([`${address}/p2p-circuit`]);
    await node.handle(
      LABEL,
      async (stream, connection) => {
        stream.send(Buffer.from(`Hidden node, called by ${connection.remotePeer}\n`));
        await stream.close();
      },
      LIMITED,
    );
    while (!node.getMultiaddrs().length) await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(`${address}/p2p-circuit/p2p/${node.peerId}`);
    untilStdinEnds();
  },

  async through() {
    const node = await open([]);
    const connection = await node.dial(multiaddr(address), { signal });
    const stream = await connection.newStream(LABEL, { ...LIMITED, signal });
    let label = "";
    await new Promise((resolve) => {
      stream.addEventListener("message", ({ data }) => {
        label += Buffer.from(data.subarray()).toString();
        if (label.endsWith("\n")) resolve();
      });
      stream.addEventListener("close", resolve);
    });
    const connections = node.getConnections(connection.remotePeer);
    console.log(`${label}${connection.remotePeer} ${connection.limits != null} ${connections.length}`);
    process.exit(0);
  },
};
await modes[mode]();
