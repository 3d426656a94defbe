// Types of goop-data.mjs, and of Goop.data.
import type { Data } from "./goop.d.ts";

export declare const data: Data;
export default data;
