// Types of goop-data.js: it fills Goop.data.
import "./goop.d.ts";
