// Types of goop-peers.js: it fills Goop.peers.
import "./goop.d.ts";
