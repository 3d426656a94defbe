// Goop.listen as an ES module.
import "./goop-listen.js";

export const listen = globalThis.Goop.listen;
export default listen;
