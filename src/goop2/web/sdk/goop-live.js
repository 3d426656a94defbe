// Put into the owner's pages by `goop2 peer DIR --live`: loads the page anew when a file of the site is saved.
(function () {
  "use strict";
  const source = new EventSource("/api/events");
  const reload = () => location.reload();
  source.addEventListener("reload", reload);
  source.addEventListener("gap", reload); // the peer was started again, or much has happened
  addEventListener("pagehide", () => source.close());
})();
