// Goop.chatroom as an ES module.
import "./goop-chatroom.js";

export const chatroom = globalThis.Goop.chatroom;
export default chatroom;
