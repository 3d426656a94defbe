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

  async function failure(response) {
    let told = {};
    try {
      told = await response.json();
    } catch {
      // Not ours: the status is all there is.
    }
    const seconds = Number(response.headers.get("Retry-After"));
    return new Goop.Error(told.message || `the peer answered ${response.status}`, {
      code: told.code || "unavailable",
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
})();
