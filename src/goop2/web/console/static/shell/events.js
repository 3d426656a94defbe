// Live events of the peer: server-sent events read with fetch, since EventSource cannot send the token.
// After a break the client names the last event it has, and gets those still held; when some are lost, it gets the event `gap`.
import { authorization, resume } from "./api.js";
import { t } from "./text.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const listeners = new Map(); // kind → set of functions
let lastId = "";

function notify(kind, data) {
  for (const listener of listeners.get(kind) || []) {
    try {
      listener(data);
    } catch (error) {
      console.error(error);
    }
  }
}

function read(block) {
  const fields = { event: "message", data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  if (fields.id) lastId = fields.id;
  if (fields.data) notify(fields.event, JSON.parse(fields.data));
}

// A browser keeps six connections to an origin, over all its tabs: of the tabs nobody looks at only a few go on listening.
const STREAM = "goop2-console-events"; // name of the lock that every tab with a stream holds
const UNSEEN_STREAMS_MAX = 3;
let stop = null; // ends the stream

async function spare() {
  const { held } = await navigator.locks.query();
  if (document.hidden && stop && held.filter(({ name }) => name === STREAM).length > UNSEEN_STREAMS_MAX) stop.abort();
}

const seen = () =>
  new Promise((resolve) => {
    const look = () => document.hidden || (document.removeEventListener("visibilitychange", look), resolve());
    document.addEventListener("visibilitychange", look);
    look();
  });

function listen(connected) {
  stop = new AbortController();
  return navigator.locks.request(STREAM, { mode: "shared" }, () => receive(connected, stop.signal));
}

async function receive(connected, signal) {
  const headers = lastId ? { ...authorization(), "Last-Event-ID": lastId } : authorization();
  // Without no-store Firefox lets the second tab wait for the end of the first one's answer, to have it from the cache.
  const response = await fetch("/api/console/events", { headers, signal, cache: "no-store" });
  if (!response.ok) throw Object.assign(new Error(String(response.status)), { status: response.status });
  connected();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    blocks.forEach(read);
  }
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const events = {
  /** Calls `listener(data)` at each event `kind` (run, script, chat, gap …); gives the function that ends it. */
  on(kind, listener) {
    if (!listeners.has(kind)) listeners.set(kind, new Set());
    listeners.get(kind).add(listener);
    return () => listeners.get(kind).delete(listener);
  },

  /** Listens until the tab is closed; `sign` is where it says whether it hears anything, `trouble` where it says what to do. */
  async follow(sign, trouble) {
    document.addEventListener("visibilitychange", spare);
    events.on("here", spare);
    const say = (state, text, remedy = "") => {
      sign.dataset.state = state;
      sign.textContent = text;
      trouble.textContent = remedy;
    };
    for (let waiting = FIRST_WAIT_MS; ; waiting = Math.min(waiting * 2, LONGEST_WAIT_MS)) {
      let full = false;
      try {
        await listen(() => {
          waiting = FIRST_WAIT_MS / 2;
          say("live", t("Live"));
        });
      } catch (error) {
        if (error.name === "AbortError") {
          await seen();
          continue;
        }
        if (error.status === 403) {
          if (await resume()) continue;
          return say("lost", t("Restarted"), t("The peer was restarted, and does not know this tab. Open the address that the peer has printed, or run goop2 console DIR --open."));
        }
        full = error.status === 503;
      }
      const seldom = waiting > FIRST_WAIT_MS; // once may be a moment, of which the sign is enough
      if (full) say("lost", t("Too many tabs"), t("The console is open in too many tabs. This one shows nothing new until another one is closed."));
      else say("lost", t("Not reached"), seldom ? t("The peer does not answer, so this page may be out of date. It reconnects by itself.") : "");
      await wait(waiting);
    }
  },
};
