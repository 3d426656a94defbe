// Types of goop-group.js: it fills Goop.group.
import "./goop.d.ts";
