// Types of goop-listen.js: it fills Goop.listen.
import "./goop.d.ts";
