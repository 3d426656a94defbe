// Loads the files of the SDK that a page needs beside /sdk/goop-data.js: `await sdk("ui", "api")`. Another program's viewer has goop-data.js and
// goop-identity.js too, but not all of the rest; there the few functions this site uses are made here, of those that it has.
const ROWS_MAX = 1000; // what a peer gives at once
const TOAST_MILLISECONDS = 4000;

const load = (name) =>
  new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: `/sdk/goop-${name}.js`, onload: resolve });
    script.onerror = () => reject(new Error(`goop-${name}.js could not be loaded`));
    document.head.append(script);
  });

/** The style beside a file of the SDK: nothing waits for it, since what it is for is not shown yet. */
const style = (name) => document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: `/sdk/goop-${name}.css` }));
const STYLED = /^(component-|form$)/;

/** Whether the page is shown by another program, whose SDK is its own. */
export const isElsewhere = !globalThis.Goop?.request;

const made = {
  identity: () => load("identity"),

  api() {
    const ask = (action) => (resource, more = {}) => Goop.data.call("api", { action, resource, ...more });
    const byKey = (action) => (resource, key, data) =>
      Goop.data.call("api", { action, resource, ...(typeof key === "object" ? key : { id: key }), ...(data && { data }) });
    Goop.api = {
      list: ask("list"),
      map: ask("map"),
      get: byKey("get"),
      update: byKey("update"),
      delete: byKey("delete"),
      insert: (resource, data) => Goop.data.call("api", { action: "insert", resource, data }),
    };
  },

  ui() {
    Goop.ui = { ...Goop.ui, toast, confirm };
  },

  listen() {}, // a session is heard in that program's own page for it

  // What pages do without, when it is not there: pictures open as pictures, cards move by their dialog, a room is asked for what is new.
  "component-lightbox"() {},
  "component-drag"() {},
  chatroom() {},
  site() {}, // nobody owns this site there

  async form() {
    Goop.form = await import("./sdk-form.js"); // a file of the site that asks for it
  },
};

function toast(text) {
  const said = document.createElement("p");
  said.setAttribute("role", "status");
  said.textContent = typeof text === "string" ? text : [text.title, text.message].filter(Boolean).join(": ");
  Object.assign(said.style, { position: "fixed", bottom: "1rem", left: "1rem", right: "1rem", margin: "auto", width: "fit-content", maxWidth: "30rem" });
  Object.assign(said.style, { padding: "0.6rem 1rem", borderRadius: "8px", background: "#222", color: "#fff", zIndex: "9" });
  document.body.append(said);
  setTimeout(() => said.remove(), TOAST_MILLISECONDS);
}

/** Promise of whether the reader agrees. */
function confirm(text) {
  const dialog = document.createElement("dialog");
  const form = Object.assign(document.createElement("form"), { method: "dialog" });
  const button = (words, value) => Object.assign(document.createElement("button"), { textContent: words, value });
  form.append(Object.assign(document.createElement("p"), { textContent: text }), button("OK", "yes"), button("Cancel", ""));
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    };
  });
}

/** Rows as this site asks for them. Other viewers answer null for none, and drop `order`: the newest first is then made here. */
function ordered(query) {
  return async (table, { order, limit, offset = 0, ...options } = {}) => {
    if (!order) return (await query(table, { ...options, limit, offset })) || [];
    const rows = (await query(table, { ...options, limit: ROWS_MAX })) || [];
    return rows.sort((one, other) => other._id - one._id).slice(offset, limit ? offset + limit : undefined);
  };
}

if (isElsewhere && globalThis.Goop) {
  Goop.data.query = ordered(Goop.data.query.bind(Goop.data));
  Goop.data.api = Goop.data.api || ((name) => (action, params) => Goop.data.call(name, { action, ...params }));
}

/** Makes `Goop.…` of these names ready. */
export async function sdk(...names) {
  if (!isElsewhere) names.filter((name) => STYLED.test(name)).forEach(style);
  await Promise.all(names.map((name) => (isElsewhere ? made[name]() : load(name))));
}
