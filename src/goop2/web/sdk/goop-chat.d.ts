// Types of goop-chat.js: it fills Goop.chat.
import "./goop.d.ts";
