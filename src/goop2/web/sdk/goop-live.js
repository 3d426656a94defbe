// Put into the owner's pages by `goop2 peer DIR --live`: loads the page anew when a file of the site is saved.
(function () {
  "use strict";
  for (const kind of ["reload", "gap"]) globalThis.Goop.hear(kind, () => location.reload()); // gap: the peer was started again, or much has happened
})();
