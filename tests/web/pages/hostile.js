// What a hostile page tries against other origins of a peer. Each try gives what it got hold of, or throws, or is never told.
// targets: {console, site, token, peer}: addresses of the console and of the owner's own site.
globalThis.attack = async function (targets) {
  const { console: board, site, peer } = targets;
  const call = JSON.stringify({ function: "who", params: {} });
  const text = async (response) => (response.type === "opaque" ? null : `${response.status} ${await response.text()}`);
  const within = (promise) => Promise.race([promise, new Promise((_, no) => setTimeout(() => no(new Error("never told")), 1500))]);
  const loaded = (element) =>
    new Promise((yes, no) => {
      element.onload = () => yes(element);
      element.onerror = () => no(new Error("not loaded"));
      document.body.append(element);
    });
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const framed = async (address) => (await loaded(make("iframe", { src: address }))).contentDocument.documentElement.outerHTML;
  const submitted = async (address) => {
    const frame = make("iframe", { name: "aim", src: "about:blank" });
    document.body.append(frame);
    const form = make("form", { method: "post", action: address, target: "aim", enctype: "text/plain" });
    form.append(make("input", { name: call.slice(0, -1) + ',"x":"', value: '"}' }));
    document.body.append(form);
    form.submit();
    await new Promise((go) => setTimeout(go, 300));
    return frame.contentDocument.body.textContent || null;
  };
  // What `look` sees in a window opened at `address`, from when it has left the empty page it begins with.
  const popup = async (address, look) => {
    const opened = open(address);
    try {
      for (;;) {
        await new Promise((go) => setTimeout(go, 50));
        let empty = false;
        try {
          empty = opened.location.href === "about:blank";
        } catch {
          // It is another's by now.
        }
        if (!empty) return await look(opened);
      }
    } finally {
      opened.close();
    }
  };
  const inside = (opened) => opened.document.documentElement.outerHTML;
  const held = async (opened) => {
    await new Promise((go) => setTimeout(go, 500)); // the browser lets go of it a little later
    return opened.closed ? null : "its window";
  };
  const stream = (address) =>
    new Promise((yes, no) => {
      const source = new EventSource(address);
      source.onopen = () => yes("a stream");
      source.onerror = () => no(new Error("no stream"));
    });

  const tries = {
    "read the console's page": async () => text(await fetch(`${board}/`)),
    "read the console's controls": async () => text(await fetch(`${board}/api/console/home`)),
    "the same with a made-up token": async () => text(await fetch(`${board}/api/console/home`, { headers: { Authorization: "Bearer x" } })),
    "the same with cookies": async () => text(await fetch(`${board}/api/console/home`, { credentials: "include" })),
    "call a function as the owner": async () => text(await fetch(`${site}/api/data/lua/call`, { method: "POST", body: call })),
    "call it with a type that needs no asking": async () =>
      text(await fetch(`${site}/api/data/lua/call`, { method: "POST", body: call, headers: { "Content-Type": "text/plain" } })),
    "call it blindly": async () => text(await fetch(`${site}/api/data/lua/call`, { method: "POST", body: call, mode: "no-cors" })),
    "call it with a beacon": async () => void navigator.sendBeacon(`${site}/api/data/lua/call`, call),
    "call it with a form": () => submitted(`${site}/api/data/lua/call`),
    "call it by the path of its peer": async () => text(await fetch(`${site}/api/p/${peer}/data/lua/call`, { method: "POST", body: call })),
    "list the owner's functions": async () => text(await fetch(`${site}/api/data/lua/list`)),
    "ask who the owner is": async () => text(await fetch(`${site}/api/identity`)),
    "load the owner's data as a script": async () => (await loaded(make("script", { src: `${site}/api/data/lua/list` }))) && "loaded",
    "load it as a style": async () => (await loaded(make("link", { rel: "stylesheet", href: `${site}/api/identity` }))) && "loaded",
    "load the console's script": async () => (await loaded(make("script", { src: `${board}/console.js` }))) && "loaded",
    "load a picture of the site": async () => (await loaded(make("img", { src: `${site}/dot.svg` }))) && "loaded",
    "frame the console": () => framed(`${board}/`),
    "frame the owner's site": () => framed(`${site}/`),
    "open the console and look inside": () => popup(`${board}/`, inside),
    "open the owner's site and look inside": () => popup(`${site}/`, inside),
    "open the console and keep hold of it": () => popup(`${board}/`, held),
    "open the owner's site and keep hold of it": () => popup(`${site}/`, held),
    "hear the owner's events": () => stream(`${site}/api/events`),
    "change the owner's site": async () => text(await fetch(`${site}/api/site/upload?path=owned.html`, { method: "POST", body: "owned" })),
    "let a worker of theirs run here": async () => (await navigator.serviceWorker.register(`${board}/console.js`)) && "registered",
    "import the console's module": async () => (await import(`${board}/console.js`)) && "imported",
  };
  const got = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try {
      const result = await within(attempt());
      if (result !== null && result !== undefined) got[name] = String(result).slice(0, 200);
    } catch {
      // As it should be.
    }
  }
  return { tried: Object.keys(tries).length, got };
};
