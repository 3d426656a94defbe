// Types of goop-chat.mjs, and of Goop.chat.
import type { Chat } from "./goop.d.ts";

export declare const chat: Chat;
export default chat;
