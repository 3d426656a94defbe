// Goop.ui as an ES module.
import "./goop-ui.js";

export const ui = globalThis.Goop.ui;
export default ui;
