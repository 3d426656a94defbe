// Types of goop-api.mjs, and of Goop.api.
import type { Api } from "./goop.d.ts";

export declare const api: Api;
export default api;
