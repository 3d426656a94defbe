// Types of goop-api.js: it fills Goop.api.
import "./goop.d.ts";
