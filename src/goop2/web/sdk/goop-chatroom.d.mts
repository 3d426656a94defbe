// Types of goop-chatroom.mjs, and of Goop.chatroom.
import type { Chatroom } from "./goop.d.ts";

export declare const chatroom: Chatroom;
export default chatroom;
