// Goop.data as an ES module.
import "./goop-data.js";

export const data = globalThis.Goop.data;
export default data;
