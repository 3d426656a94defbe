// Types of goop-site.js: it fills Goop.site.
import "./goop.d.ts";
