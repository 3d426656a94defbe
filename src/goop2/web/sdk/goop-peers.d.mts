// Types of goop-peers.mjs, and of Goop.peers.
import type { Peers } from "./goop.d.ts";

export declare const peers: Peers;
export default peers;
