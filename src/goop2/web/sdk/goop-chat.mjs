// Goop.chat as an ES module.
import "./goop-chat.js";

export const chat = globalThis.Goop.chat;
export default chat;
