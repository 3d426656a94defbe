// The texts of the SDK in the browser's language. In front of this stands `Goop.texts`, those of the file that are in another language than
// English (web/http/languages.py). What a page has put into Goop.texts before, or puts there later, wins: Goop.texts = { Cancel: "No thanks" }.
(function () {
  "use strict";
  const Goop = (globalThis.Goop = globalThis.Goop || {});
  Goop.texts = Goop.texts || {};
  /** A text by its English: text("Page {0} of {1}", 2, 9). */
  Goop.text = Goop.text || ((english, ...values) => (Goop.texts[english] ?? english).replace(/\{(\d)\}/g, (_, place) => values[place]));
})();
