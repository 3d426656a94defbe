// Types of goop-chatroom.js: it fills Goop.chatroom.
import "./goop.d.ts";
