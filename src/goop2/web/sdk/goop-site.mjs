// Goop.site as an ES module.
import "./goop-site.js";

export const site = globalThis.Goop.site;
export default site;
