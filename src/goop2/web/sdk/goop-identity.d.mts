// Types of goop-identity.mjs, and of Goop.identity.
import type { Identity } from "./goop.d.ts";

export declare const identity: Identity;
export default identity;
