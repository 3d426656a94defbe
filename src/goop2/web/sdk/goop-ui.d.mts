// Types of goop-ui.mjs, and of Goop.ui.
import type { Ui } from "./goop.d.ts";

export declare const ui: Ui;
export default ui;
