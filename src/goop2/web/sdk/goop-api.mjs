// Goop.api as an ES module.
import "./goop-data.js";
import "./goop-api.js";

export const api = globalThis.Goop.api;
export default api;
