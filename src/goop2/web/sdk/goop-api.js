// Goop.api: the virtual REST API, resources as api.json declares them. Needs goop-data.js.
(function () {
  "use strict";
  const Goop = globalThis.Goop;

  function api(action, resource, more) {
    if (!Goop.data) throw new Error("goop-api.js needs goop-data.js: load it first");
    return Goop.data.call("api", { action, resource, ...more });
  }

  // An id, or what to look for: {slug: …} or {id: …}.
  const which = (key) => (key !== null && typeof key === "object" ? key : { id: key });

  Goop.api = {
    /** One item by {slug}, {id} or an id: {found, item}. */
    get: (resource, key) => api("get", resource, which(key)),
    /** A page of items, by {limit, offset}: {items}. */
    list: (resource, page = {}) => api("list", resource, page),
    /** Adds an item: {id}. */
    insert: (resource, data) => api("insert", resource, { data }),
    /** Changes an item: {ok}. */
    update: (resource, key, data) => api("update", resource, { ...which(key), data }),
    /** Removes an item: {ok}. */
    delete: (resource, key) => api("delete", resource, which(key)),
    /** Two columns as one object. */
    map: (resource) => api("map", resource),
  };
})();
