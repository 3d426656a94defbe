// A peer made of js-libp2p alone. It knows streams and gossip, and nothing of what peers say to each other: the tests write and compare
// the bytes. How it is told what to do is in tests/interop/others.py, the same for every implementation.
//
//   node peer.js noise|plaintext LISTEN_ADDRESS
import { createInterface } from "node:readline";
import { noise } from "@chainsafe/libp2p-noise";
import { gossipsub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import { plaintext } from "@libp2p/plaintext";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

const MQ = "/goop/mq/1.0.0";
const PATIENCE_MS = 30_000;
const NEWLINE = 10;

const [, , security, address] = process.argv;
const node = await createLibp2p({
  addresses: { listen: [address] },
  transports: [tcp()],
  connectionEncrypters: [security === "plaintext" ? plaintext() : noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), pubsub: gossipsub({ emitSelf: false, fallbackToFloodsub: false }) },
});

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const bytes = (text) => Buffer.from(text ?? "", "base64");
const text = (data) => Buffer.from(data).toString("base64");
const tellAsked = (stream, connection, data) => say({ event: stream.protocol, sender: connection.remotePeer.toString(), data: text(data) });

// Bytes until there are enough, or the end. An end that came with the protocol's agreement was told already (`readableEnded`), though
// bytes follow; the stream's own iterator would wait for another.
function reading(stream, enough) {
  return new Promise((resolve, reject) => {
    let read = Buffer.alloc(0);
    stream.addEventListener("message", ({ data }) => {
      read = Buffer.concat([read, data.subarray()]);
      if (enough(read) || (stream.readableEnded && !stream.readBufferLength)) resolve(read);
    });
    if (stream.readableEnded && !stream.readBufferLength) resolve(read);
    stream.addEventListener("end", () => resolve(read));
    stream.addEventListener("close", ({ error }) => (error ? reject(error) : resolve(read)));
  });
}

const withLines = (lines) => (read) => read.filter((byte) => byte === NEWLINE).length >= lines;
const asked = async (stream, lines) => (lines ? reading(stream, withLines(lines)) : Buffer.alloc(0));

const does = {
  connect: ({ address }) => node.dial(multiaddr(address), { signal: AbortSignal.timeout(PATIENCE_MS) }).then(() => undefined),

  // Writes data, reads until the end or `most` bytes.
  async ask({ peer, protocol, data, most }) {
    const connection = node.getConnections().find((one) => one.remotePeer.toString() === peer);
    const stream = await connection.newStream(protocol, { signal: AbortSignal.timeout(PATIENCE_MS) });
    try {
      if (data) stream.send(bytes(data));
      return (await reading(stream, (read) => read.length >= most)).subarray(0, most);
    } finally {
      stream.abort(new Error("done"));
    }
  },

  // From now on: reads `lines` lines, tells them, writes data and closes.
  async answer({ protocol, data, lines }) {
    await node.unhandle(protocol);
    await node.handle(protocol, async (stream, connection) => {
      tellAsked(stream, connection, await asked(stream, lines));
      stream.send(bytes(data));
      await stream.close();
    });
  },

  async subscribe({ topic }) {
    node.services.pubsub.addEventListener("message", ({ detail }) => {
      if (detail.topic === topic) say({ event: topic, sender: detail.from.toString(), data: text(detail.data) });
    });
    node.services.pubsub.subscribe(topic);
  },

  publish: ({ topic, data }) => node.services.pubsub.publish(topic, bytes(data)).then(() => undefined),
};

// Acknowledges each message, as every peer of the network does.
await node.handle(MQ, async (stream, connection) => {
  const line = await asked(stream, 1);
  const { id, seq } = JSON.parse(line);
  tellAsked(stream, connection, line);
  stream.send(Buffer.from(`${JSON.stringify({ type: "ack", id, seq })}\n`));
  await stream.close();
});

say({ event: "up", address: node.getMultiaddrs()[0].toString() });
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  Promise.resolve()
    .then(() => does[told.do](told))
    .then((data) => say({ n: told.n, data: data && text(data) }), (error) => say({ n: told.n, error: `${error.name}: ${error.message}` }));
}
await node.stop();
process.exit(0);
