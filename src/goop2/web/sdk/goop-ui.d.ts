// Types of goop-ui.js: it fills Goop.ui.
import "./goop.d.ts";
