// Calls the owner's controls. The token is kept in this tab only; it is never in a page, nor in the history. After a restart of the peer the
// tab gets the new token by a code that was given to it before (web/console/tab_codes.py).
import { t } from "./text.js";

const TOKEN = "goop2-console-token";
const CODE = "goop2-console-tab";
const listeners = new Set();

const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

/** What a control refused: `status`, `code`, and `body`, the whole answer. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.message || t`the peer answered ${status}`);
    Object.assign(this, { status, code: body.code, body });
  }
}

export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;
export const authorization = () => ({ Authorization: `Bearer ${sessionStorage.getItem(TOKEN)}` });

/** Calls `listener` when the tab was let in by a peer that had been restarted. */
export const onResumed = (listener) => listeners.add(listener);

async function send(path, body, read = (response) => response.json()) {
  const [type, content] = body instanceof Blob ? ["application/octet-stream", body] : ["application/json", JSON.stringify(body)];
  const options = body === undefined ? { headers: authorization() } : { method: "POST", headers: { ...authorization(), "Content-Type": type }, body: content };
  let response;
  try {
    response = await fetch(`/api/console/${path}`, options);
  } catch {
    throw new Refused(0, { code: "offline", message: t("The peer does not answer. Has it ended?") });
  }
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return read(response).catch(() => ({}));
}

async function ask(path, body, read) {
  try {
    return await send(path, body, read);
  } catch (error) {
    if (error.status !== 403 || !(await resume())) throw error;
    return send(path, body, read);
  }
}

/** The answer of a control; `path` comes after /api/console/. Throws `Refused`. */
export const get = (path) => ask(path);

/** What a control answers that gives a file: a `Blob`. */
export const file = (path) => ask(path, undefined, (response) => response.blob());

/** The same with a JSON body, or with a `Blob` as it is. */
export const post = (path, body = {}) => ask(path, body);

/** The same with a file as the body. */
export async function upload(path, body) {
  let response;
  try {
    response = await fetch(`/api/console/${path}`, { method: "POST", headers: authorization(), body });
  } catch {
    throw new Refused(0, { code: "offline", message: t("The peer does not answer, or did not take the file") });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

/** Takes what lets this tab in out of the address: the token, or a one-time code. Promise of whether there was one; throws `Refused`. */
export async function takeWayIn() {
  const given = new URLSearchParams(location.hash.slice(1));
  const [token, code] = [given.get("token"), given.get("code")];
  if (!token && !code) return false;
  history.replaceState(null, "", location.pathname + location.search);
  sessionStorage.setItem(TOKEN, token || (await send("tab/enter", { code })).token);
  return true;
}

/** Takes the code that lets this tab in again after a restart; where there is none, it is asked for the address again. */
export async function takeCode() {
  try {
    const [{ run }, { id, key }] = await Promise.all([send("tab"), send("tab/code", {})]);
    if (id) sessionStorage.setItem(CODE, JSON.stringify({ run, id, key }));
  } catch {
    // The page goes on without.
  }
}

let resuming = null;

/** Promise of whether this tab has the token of the run that answers now, and had another's before. */
export function resume() {
  resuming ||= tryToResume().catch(() => false).finally(() => { resuming = null; });
  return resuming;
}

async function tryToResume() {
  const kept = JSON.parse(sessionStorage.getItem(CODE) || "null");
  if (!kept || !crypto.subtle) return false;
  const { run } = await send("tab");
  if (run === kept.run) return false; // it was refused for another reason
  const key = await crypto.subtle.importKey("raw", unhex(kept.key), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const proof = hex(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(run))); // the key itself is told to nobody
  const { token } = await send("tab/resume", { id: kept.id, proof });
  sessionStorage.setItem(TOKEN, token);
  await takeCode();
  listeners.forEach((listener) => listener());
  return true;
}
