// Types of goop-group.mjs, and of Goop.group.
import type { Group } from "./goop.d.ts";

export declare const group: Group;
export default group;
