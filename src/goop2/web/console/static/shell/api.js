// Calls the owner's controls. The token is kept in this tab only; it is never in a page, nor in the history.
const KEY = "goop2-console-token";

/** Takes the token out of the address; returns whether there was one. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return false;
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

export const hasToken = () => sessionStorage.getItem(KEY) !== null;
export const authorization = () => ({ Authorization: `Bearer ${sessionStorage.getItem(KEY)}` });

/** What a control refused: `status`, `code`, and with a conflict `body`, the whole answer. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.message || `the peer answered ${status}`);
    Object.assign(this, { status, code: body.code, body });
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(`/api/console/${path}`, options);
  } catch {
    throw new Refused(0, { code: "offline", message: "The peer does not answer. Has it ended?" });
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

/** The answer of a control; `path` comes after /api/console/. Throws `Refused`. */
export const get = (path) => ask(path, { headers: authorization() });

/** The same with a JSON body. */
export const post = (path, body = {}) =>
  ask(path, { method: "POST", headers: { ...authorization(), "Content-Type": "application/json" }, body: JSON.stringify(body) });
