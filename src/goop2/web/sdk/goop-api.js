// Goop.api: the virtual REST API, resources as api.json declares them. Needs goop-data.js.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { NAME, ROW, WHOLE, options, refuse, quoted } = Goop.kinds;

  function api(action, resource, more) {
    if (!Goop.data) throw new Error("goop-api.js needs goop-data.js: load it first");
    return Goop.data.call("api", { action, resource, ...more });
  }

  // An id, or what to look for: {slug: …} or {id: …}.
  const FOUND_BY = options({ id: WHOLE, slug: NAME });
  function KEY(value, place) {
    if (value === null || typeof value !== "object") return { id: WHOLE(value ?? undefined, place) };
    const key = FOUND_BY(value, place);
    return Object.keys(key).length ? key : refuse(`${place} takes an id, {slug} or {id}, not ${quoted(value)}`);
  }

  Goop.api = {
    /** One item by {slug}, {id} or an id: {found, item}. */
    get: Goop.asks("api.get", { resource: NAME, key: KEY }, (resource, key) => api("get", resource, key)),
    /** A page of items, by {limit, offset}: {items}. */
    list: Goop.asks("api.list", { resource: NAME, page: options({ limit: WHOLE, offset: WHOLE }) }, (resource, page) => api("list", resource, page)),
    /** Adds an item: {id}. */
    insert: Goop.asks("api.insert", { resource: NAME, data: ROW }, (resource, data) => api("insert", resource, { data })),
    /** Changes an item: {ok}. */
    update: Goop.asks("api.update", { resource: NAME, key: KEY, data: ROW }, (resource, key, data) => api("update", resource, { ...key, data })),
    /** Removes an item: {ok}. */
    delete: Goop.asks("api.delete", { resource: NAME, key: KEY }, (resource, key) => api("delete", resource, key)),
    /** Two columns as one object. */
    map: Goop.asks("api.map", { resource: NAME }, (resource) => api("map", resource)),
  };
})();
