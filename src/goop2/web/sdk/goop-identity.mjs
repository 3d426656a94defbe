// Goop.identity as an ES module.
import "./goop-identity.js";

export const identity = globalThis.Goop.identity;
export default identity;
