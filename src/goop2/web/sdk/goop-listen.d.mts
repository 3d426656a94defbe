// Types of goop-listen.mjs, and of Goop.listen.
import type { Listen } from "./goop.d.ts";

export declare const listen: Listen;
export default listen;
