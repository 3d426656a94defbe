// Goop.site: the files of the site this page is of.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { NAME, refuse, tagOf, quoted } = Goop.kinds;
  const address = (path) => "/" + path.replace(/^\//, "").split("/").map(encodeURIComponent).join("/");

  // The one file that is meant: `input.files` and a form hold files, and one of them may be the only one.
  const only = (files, place) => {
    const chosen = files.filter((file) => file.size || file.name); // an input where none was chosen gives one without a name
    return chosen.length === 1 ? chosen[0] : refuse(`${place} takes one file, and ${chosen.length ? `${chosen.length} were given` : "none was chosen"}`);
  };

  function FILE(value, place) {
    const tag = tagOf(value);
    if (value === undefined) refuse(`${place} is missing: it takes a file`);
    if (typeof value === "string" || ["File", "Blob", "ArrayBuffer"].includes(tag) || ArrayBuffer.isView(value)) return value;
    if (tag === "FileList") return only([...value], place);
    if (tag === "FormData") return only([...value.values()].filter((one) => typeof one !== "string"), place);
    return refuse(`${place} takes a File, a Blob, an ArrayBuffer, a text, or a form with one file, not ${quoted(value)}`);
  }

  async function send(path, file) {
    const headers = { "Content-Type": file.type || "application/octet-stream" };
    return (await Goop.fetch(`/api/site/upload?path=${encodeURIComponent(path)}`, { method: "POST", headers, body: file })).json();
  }

  Goop.site = {
    /** A file as the browser's fetch gives it: a Response, of whatever status. */
    fetch: Goop.asks("site.fetch", { path: NAME }, (path) => fetch(address(path))),
    /** A file's text. */
    read: Goop.asks("site.read", { path: NAME }, async (path) => (await Goop.fetch(address(path))).text()),

    // The owner's.
    /** The files: [{path, size, modified}]; bytes and milliseconds. */
    files: async () => (await Goop.request("site/files")).filter((one) => !one.IsDir),
    /** Puts a File, Blob, ArrayBuffer or text at `path`, or the only file of a form or a FileList. */
    upload: Goop.asks("site.upload", { path: NAME, file: FILE }, send),
    /** Removes the file at `path`. */
    remove: Goop.asks("site.remove", { path: NAME }, async (path) => ({ ...(await Goop.request("site/remove", { path })), status: "deleted" })),
  };
})();
