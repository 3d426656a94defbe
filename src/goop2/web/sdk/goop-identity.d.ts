// Types of goop-identity.js: it fills Goop.identity.
import "./goop.d.ts";
