// The beginning of every file of the SDK: requests of a page to its own peer, and their errors.
// Served in front of each goop-*.js (web/http/assets.py), so a page needs only the files it uses; the first one defines it.
(function () {
  "use strict";
  const Goop = (globalThis.Goop = globalThis.Goop || {});
  const t = Goop.text;
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
      this.detail = details.detail; // {code} of the table a script raised
      this.retryAfter = details.retryAfter; // seconds
    }
  };

  // Codes of answers that have only a status, such as the page for a missing file.
  const CODES = { 400: "bad_request", 403: "forbidden", 404: "not_found", 405: "bad_request", 416: "bad_request", 421: "forbidden" };

  async function failure(response) {
    let body = {};
    try {
      body = await response.json();
    } catch {
      // Not JSON of ours: only the status is known.
    }
    const seconds = Number(response.headers.get("Retry-After"));
    return new Goop.Error(body.message || t("the peer answered {0}", response.status), {
      code: body.code || CODES[response.status] || "unavailable",
      status: response.status,
      script: body.script,
      line: body.line,
      detail: body.detail,
      retryAfter: seconds || undefined,
    });
  }

  // Errors are JSON for who asks for it by name; a page's own `fetch` gets their message as text.
  async function ask(path, options = {}) {
    try {
      return await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
    } catch (error) {
      throw new Goop.Error(t("the peer cannot be reached"), { code: "offline", status: 0 });
    }
  }

  // Checks of arguments. A missing or misspelt argument, or one of another kind, is refused before anything is sent; a kind returns the
  // value that is sent.
  const refuse = (message) => {
    throw new Goop.Error(message, { code: "bad_request", status: 400 });
  };
  const tagOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
  const quoted = (value) => {
    if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
    return value === null || typeof value !== "object" ? String(value) : Array.isArray(value) ? "a list" : `an object of the kind ${tagOf(value)}`;
  };

  // A kind converts a value to what is sent, or to undefined when it does not accept it.
  const kind = (what, read) => (value, place) => {
    if (value === undefined) refuse(`${place} is missing: it takes ${what}`);
    const found = read(value, place);
    return found === undefined ? refuse(`${place} takes ${what}, not ${quoted(value)}`) : found;
  };

  const isForm = (value) => ["FormData", "URLSearchParams"].includes(tagOf(value));
  const isPlain = (value) => tagOf(value) === "Object";

  function ofForm(form, place) {
    const names = [...form.keys()];
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) refuse(`${place} is a form with several values of ${quoted(twice)}: give an object that holds the one you mean`);
    const file = names.find((name) => typeof form.get(name) !== "string");
    if (file !== undefined) refuse(`${place} is a form with a file, ${quoted(file)}: Goop.site.upload takes files`);
    const row = Object.fromEntries(form);
    forms.add(row);
    return row;
  }
  const forms = new WeakSet(); // objects made of forms, whose values are texts alone

  const NAME = kind("a text that is not empty", (value) => (typeof value === "string" && value ? value : undefined));
  const TEXT = kind("a text", (value) => (typeof value === "string" ? value : undefined));
  const WORDS = kind("a text", (value) => (["string", "number"].includes(typeof value) ? String(value) : undefined));
  const NUMBER = kind("a number", (value) => (Number.isFinite(value) ? value : undefined));
  const WHOLE = kind("a whole number", (value) => {
    if (typeof value === "bigint") return String(value);
    return Number.isInteger(value) || (typeof value === "string" && /^\s*-?\d+\s*$/.test(value)) ? value : undefined;
  });
  const LIST = kind("a list", (value) => (Array.isArray(value) ? value : undefined));
  const FUNCTION = kind("a function", (value) => (typeof value === "function" ? value : undefined));
  const ANY = kind("a value", (value) => value);
  const AUDIO = kind("an audio element", (value) => (value && typeof value.play === "function" ? value : undefined));
  const ROW = kind("an object of columns and values, or a form", (value, place) => (isForm(value) ? ofForm(value, place) : isPlain(value) ? value : undefined));
  const PARAMS = kind("an object, or a form", (value, place) =>
    value === null ? {} : isForm(value) ? ofForm(value, place) : isPlain(value) || Array.isArray(value) ? value : undefined,
  );
  const maybe = (read) => (value, place) => (value === undefined || value === null ? undefined : read(value, place));
  /** Options of these kinds by name, each of which may be left out but those in `needed`. */
  const options = (known, needed = []) => (value, place) => {
    const given = value ?? {};
    const names = Object.keys(known).join(", ") || "none";
    if (!isPlain(given)) refuse(`${place} takes an object with ${names}, not ${quoted(value)}`);
    const odd = Object.keys(given).find((name) => !Object.hasOwn(known, name));
    if (odd !== undefined) refuse(`${place} has no ${quoted(odd)}; it takes ${names}`);
    const read = Object.entries(known).map(([name, one]) => [name, (needed.includes(name) ? one : maybe(one))(given[name], `${place}.${name}`)]);
    return Object.fromEntries(read.filter(([, one]) => one !== undefined));
  };
  Goop.kinds = { NAME, TEXT, WORDS, NUMBER, WHOLE, LIST, FUNCTION, ANY, AUDIO, ROW, PARAMS, maybe, options, refuse, quoted, tagOf, isOfForm: (row) => forms.has(row) };

  /** `work` with its arguments read by `kinds`, {name: kind} in their order; a mistake is thrown. */
  Goop.reads = function (name, kinds, work) {
    const names = Object.keys(kinds);
    return (...given) => work(...names.map((one, place) => kinds[one](given[place], `Goop.${name}: ${one}`)));
  };
  /** The same of one that gives a promise, which a mistake rejects. */
  Goop.asks = function (name, kinds, work) {
    const read = Goop.reads(name, kinds, work);
    return async (...given) => read(...given);
  };

  // JSON makes {} of a Map, a file or an element: what was in it would be lost without a word.
  function sendable(key, value) {
    if (typeof value === "bigint") return String(value);
    if (value === null || typeof value !== "object" || Array.isArray(value) || isPlain(value) || Object.keys(value).length) return value;
    return refuse(`${key ? `${quoted(key)} is ` : ""}${quoted(value)}, which cannot be sent: give an object, a list, or a plain value`);
  }

  // Addresses begin with / and no peer: they mean the peer whose page this is, under / and under /p/<id>/ alike.
  Goop.request = async function (path, body) {
    const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body, sendable) };
    const response = await ask(`/api/${path}`, options);
    if (!response.ok) throw await failure(response);
    return response.json();
  };

  Goop.fetch = async function (path, options) {
    const response = await ask(path, options);
    if (!response.ok) throw await failure(response);
    return response;
  };

  // What happens, as it happens: one stream of an address for the whole page, whatever listens. A browser keeps six connections to an origin,
  // over all its tabs; so of the pages nobody looks at only a few keep theirs, and the others ask for what they missed when they are looked at again.
  const LOCK = "goop-events"; // every stream of every page holds this lock while it is connected
  const UNSEEN_STREAMS_MAX = 3;
  const AGAIN_MS = 5000;
  const streams = new Map(); // address → stream

  function streamOf(address, opening) {
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

    function connect() {
      source = new EventSource(place ? `${address}?after=${encodeURIComponent(place)}` : address); // comes back by itself
      for (const kind of [opening, ...listeners.keys()]) source.addEventListener(kind, take);
      source.addEventListener(opening, spare);
      source.addEventListener("error", refused);
      arrived = new Promise((resolve) => (arrive = resolve));
      for (const kind of [opening, "error"]) source.addEventListener(kind, arrive, { once: true });
      const mine = source; // it may be closed before the lock is granted
      if (navigator.locks) navigator.locks.request(LOCK, { mode: "shared" }, () => mine === source && new Promise((letGo) => (release = letGo)));
    }

    function disconnect() {
      if (source) source.close();
      source = null;
      release();
      arrive();
    }

    // A browser reconnects after a break, but not after a refusal: too many pages were connected.
    function refused() {
      if (!source || source.readyState !== EventSource.CLOSED) return;
      disconnect();
      setTimeout(() => listeners.size && !source && !document.hidden && connect(), AGAIN_MS);
    }

    async function spare() {
      if (!document.hidden || !source) return;
      const { held } = navigator.locks ? await navigator.locks.query() : { held: null };
      const crowded = !held || held.filter(({ name }) => name === LOCK).length > UNSEEN_STREAMS_MAX;
      if (crowded && document.hidden) disconnect();
    }

    document.addEventListener("visibilitychange", () => {
      if (document.hidden) spare();
      else if (listeners.size && !source) connect();
    });
    addEventListener("pagehide", disconnect);
    addEventListener("pageshow", () => listeners.size && !source && connect());

    function hear(kind, listener) {
      if (!listeners.has(kind)) {
        listeners.set(kind, new Set());
        if (source) source.addEventListener(kind, take);
      }
      listeners.get(kind).add(listener);
      if (!source) connect();
      return () => {
        const those = listeners.get(kind);
        if (those) those.delete(listener);
        if (those && !those.size) listeners.delete(kind);
        if (listeners.size) return;
        disconnect();
        place = ""; // a later listener gets events from then on
      };
    }
    return { hear, heard: () => arrived };
  }

  /** For the other files: the events of an address, {hear(kind, listener) → the function that ends it, heard() → once they come}. It is
   * connected while something listens. `opening`: the kind of its first event. */
  Goop.stream = function (address, opening) {
    if (!streams.has(address)) streams.set(address, streamOf(address, opening));
    return streams.get(address);
  };
  /** The same of what happens at this peer: the page's main stream. */
  const happening = Goop.stream("/api/events", "here");
  Goop.hear = happening.hear;
  Goop.heard = happening.heard;

  /** Peer → what it is called, as far as this page has been told: other people's text. */
  Goop.labels = new Map();
})();
