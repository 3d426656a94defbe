// Goop.site: the files of the site this page is of.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const address = (path) => "/" + path.replace(/^\//, "").split("/").map(encodeURIComponent).join("/");

  Goop.site = {
    /** The files: [{path, size, modified}]; bytes and milliseconds. */
    files: () => Goop.request("site/files"),
    /** A file's text. */
    read: async (path) => (await Goop.fetch(address(path))).text(),

    // The owner's.
    /** Puts a File, Blob, ArrayBuffer or text at `path`. */
    upload: async (path, file) => (await Goop.fetch(`/api/site/upload?path=${encodeURIComponent(path)}`, { method: "POST", body: file })).json(),
    /** Removes the file at `path`. */
    remove: (path) => Goop.request("site/remove", { path }),
  };
})();
