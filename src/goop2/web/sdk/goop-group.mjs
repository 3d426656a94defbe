// Goop.group as an ES module.
import "./goop-group.js";

export const group = globalThis.Goop.group;
export default group;
