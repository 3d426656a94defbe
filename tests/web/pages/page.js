// What tests/web/test_sdk_goop2.py does with the SDK, as a page of Goop2 would. `out` is an element of the page.
var out = document.getElementById("out");

async function allFunctions() {
  const t = await Goop.data.orm("notes");
  const { status, id } = await t.insert({ title: "one", likes: 1 });
  const ours = await Goop.data.orm("notes").insert({ title: "two", likes: 2 });
  const rows = await t.find({ where: "likes > ?", args: [0], order: "likes DESC", fields: ["title"] });
  const found = [await t.get(id), await t.getBy("title", "two"), await t.findOne({ where: "title = 'none'" }), await t.get(999999)];
  const sums = await t.aggregate("SUM(likes) AS n");
  const more = [await t.count(), await t.exists({ where: "title = 'one'" }), await t.pluck("title", { order: "title" }), await t.distinct("kind"), (await t.list(1)).length, sums[0].n];
  const { affected } = await t.updateWhere({ kind: "a" }, { where: "likes = ?", args: [1] });
  const upserted = await t.upsert("title", { title: "two", likes: 5 });
  const updated = await t.update(id, { likes: 3 });
  const gone = await t.deleteWhere({ where: "1 = 1" });
  const got = found.map((row) => row && row.title);
  return { status, ours: typeof ours, rows, got, more, affected, upserted: upserted.id === ours, updated: updated.status, gone: gone.affected };
}

async function formAndTable() {
  const t = await Goop.data.orm("notes");
  t.form(out, { labels: { title: "Title" }, submitLabel: "Keep" });
  window.acted = [];
  window.list = out.parentNode.appendChild(document.createElement("div"));
  const actions = { edit: (id, row) => acted.push(["edit", row.title]), remove: (id) => t.remove(id).then(redraw) };
  const onRow = (id, row) => acted.push(["row", row.title]);
  window.redraw = async () => t.table(list, await t.find({ order: "_id" }), { showId: true, exclude: ["kind"], actions, onRow });
  await redraw();
}

async function settings() {
  const pairs = await Goop.data.config("pairs", { title: "None", size: 3 });
  const before = [pairs.title, pairs.get("size"), pairs.nothing];
  await pairs.set("title", "Mine");
  await pairs.set("extra", 5);
  const again = await Goop.data.config("pairs", { title: "None" });
  const look = await Goop.data.config("look", { colour: "red", size: 1 });
  const first = [look.colour, look.size];
  await look.set("colour", "blue");
  await look.save({ size: 7 });
  const later = await Goop.data.config("look", { colour: "red" });
  const after = [pairs.title, pairs.extra, again.title, again.extra];
  return { before, after, first, look: [look.colour, later.colour, later.get("size")], rows: await Goop.data.count("look") };
}

function lists() {
  const done = [];
  const html = ({ _id, t }) => `<p data-id="${_id}">${Goop.esc(t)}<button data-action="open" data-id="${_id}">Open</button></p>`;
  const open = (id, row, button) => done.push([id, row.t, button.tagName]);
  Goop.list(out, [{ _id: 7, t: "<i>" }, { _id: 8, t: "b" }], html, { actions: { open }, onRow: (id) => done.push(id) });
  out.querySelectorAll("button")[1].click();
  out.querySelector("p").click();
  const shown = out.querySelector("p").firstChild.data;
  Goop.list(out, [], () => "", { empty: "<em>None</em>" });
  const dates = [Goop.date(""), Goop.date("soon"), Goop.date("2026-11-30 12:00:00", { year: "numeric" }), Goop.date("2026-11-30 12:00:00")];
  return [shown, done, out.innerHTML, ...dates, Goop.esc(null)];
}

var FIELDS = [
  { name: "who", label: "Your name", required: true },
  { name: "about", type: "textarea" },
  { name: "age", type: "number", min: 1 },
  { name: "menu", type: "select", options: ["meat", { value: "f", label: "fish" }] },
  { name: "many", type: "select", multi: true, options: ["x", "y", "z"] },
  { name: "way", type: "radio", options: ["foot", "car"] },
  { name: "yes", type: "checkbox", label: "I agree" },
  { name: "day", type: "date" },
  { name: "at", type: "datetime" },
  { name: "shade", type: "color" },
  { name: "on", type: "toggle" },
  { name: "tags", type: "tags" },
  { name: "seats", type: "stepper", min: 0, max: 4 },
];
var signup = (table) => Goop.form.render(out, { table, singleResponse: true, policy: "open", fields: FIELDS, onDone: (values, id) => (window.done = [values, id]) });
