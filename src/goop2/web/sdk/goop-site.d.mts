// Types of goop-site.mjs, and of Goop.site.
import type { Site } from "./goop.d.ts";

export declare const site: Site;
export default site;
