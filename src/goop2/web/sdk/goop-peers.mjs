// Goop.peers as an ES module.
import "./goop-peers.js";

export const peers = globalThis.Goop.peers;
export default peers;
