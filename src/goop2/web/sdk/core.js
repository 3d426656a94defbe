// What every file of the SDK begins with: how a page asks its own peer, and what it is told when that fails.
// Served in front of each goop-*.js (assets.py), so a page needs only the files it uses; the first one defines it.
(function () {
  "use strict";
  const Goop = (globalThis.Goop = globalThis.Goop || {});
  if (Goop.request) return;

  // code: not_found, bad_request, forbidden, rate_limited, script_error, timeout, memory, unavailable; or offline.
  Goop.Error = class GoopError extends Error {
    constructor(message, details) {
      super(message);
      this.name = "GoopError";
      this.code = details.code;
      this.status = details.status;
      this.script = details.script;
      this.line = details.line;
      this.retryAfter = details.retryAfter; // seconds
    }
  };

  // What a page of ours says by its status alone, such as that there is no file.
  const CODES = { 400: "bad_request", 403: "forbidden", 404: "not_found", 405: "bad_request", 416: "bad_request", 421: "forbidden" };

  async function failure(response) {
    let told = {};
    try {
      told = await response.json();
    } catch {
      // Not ours: the status is all there is.
    }
    const seconds = Number(response.headers.get("Retry-After"));
    return new Goop.Error(told.message || `the peer answered ${response.status}`, {
      code: told.code || CODES[response.status] || "unavailable",
      status: response.status,
      script: told.script,
      line: told.line,
      retryAfter: seconds || undefined,
    });
  }

  async function ask(path, options) {
    try {
      return await fetch(path, options);
    } catch (error) {
      throw new Goop.Error("the peer cannot be reached", { code: "offline", status: 0 });
    }
  }

  // Addresses begin with / and no peer: they mean the peer whose page this is, under / and under /p/<id>/ alike.
  Goop.request = async function (path, body) {
    const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const response = await ask(`/api/${path}`, options);
    if (!response.ok) throw await failure(response);
    return response.json();
  };

  Goop.fetch = async function (path, options) {
    const response = await ask(path, options);
    if (!response.ok) throw await failure(response);
    return response;
  };

  // What happens, as it happens: one stream for the whole page, whatever listens. A browser keeps six connections to an origin, over all
  // its tabs; so of the pages nobody looks at only a few keep theirs, and the others ask for what they missed when they are looked at again.
  const STREAM = "goop-events"; // name of the lock that every page with a stream holds
  const UNSEEN_STREAMS_MAX = 3;
  const AGAIN_MS = 5000;
  const listeners = new Map(); // kind → functions
  let source = null;
  let place = ""; // id of the last event
  let release = () => {};
  let arrived = Promise.resolve(); // once events come, or are known not to
  let arrive = () => {};

  function take(event) {
    place = event.lastEventId || place;
    for (const listener of [...(listeners.get(event.type) || [])]) {
      try {
        listener(JSON.parse(event.data));
      } catch (error) {
        console.error(error); // one listener's mistake is not the others'
      }
    }
  }

  function begin() {
    source = new EventSource(place ? `/api/events?after=${encodeURIComponent(place)}` : "/api/events"); // comes back by itself
    for (const kind of ["here", ...listeners.keys()]) source.addEventListener(kind, take);
    source.addEventListener("here", spare);
    source.addEventListener("error", refused);
    arrived = new Promise((resolve) => (arrive = resolve));
    for (const kind of ["here", "error"]) source.addEventListener(kind, arrive, { once: true });
    const mine = source; // it may have ended before the lock is had
    if (navigator.locks) navigator.locks.request(STREAM, { mode: "shared" }, () => mine === source && new Promise((letGo) => (release = letGo)));
  }

  function end() {
    if (source) source.close();
    source = null;
    release();
    arrive();
  }

  // A browser comes back after a break, but not after a refusal: too many pages were listening.
  function refused() {
    if (!source || source.readyState !== EventSource.CLOSED) return;
    end();
    setTimeout(() => listeners.size && !source && !document.hidden && begin(), AGAIN_MS);
  }

  async function spare() {
    if (!document.hidden || !source) return;
    const { held } = navigator.locks ? await navigator.locks.query() : { held: null };
    const crowded = !held || held.filter(({ name }) => name === STREAM).length > UNSEEN_STREAMS_MAX;
    if (crowded && document.hidden) end();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) spare();
    else if (listeners.size && !source) begin();
  });
  addEventListener("pagehide", end);
  addEventListener("pageshow", () => listeners.size && !source && begin());

  // For the other files: calls `listener(value)` at every event `kind`; gives the function that ends it.
  Goop.hear = function (kind, listener) {
    if (!listeners.has(kind)) {
      listeners.set(kind, new Set());
      if (source) source.addEventListener(kind, take);
    }
    listeners.get(kind).add(listener);
    if (!source) begin();
    return () => {
      const those = listeners.get(kind);
      if (those) those.delete(listener);
      if (those && !those.size) listeners.delete(kind);
      if (listeners.size) return;
      end();
      place = ""; // whoever listens again hears from then on
    };
  };
  Goop.heard = () => arrived;
})();
