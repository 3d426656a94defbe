// What goop-component-base.js and goop-component-elements.js make, for tests/web/test_sdk_components.py.
(() => {
  const base = document.getElementById("base");
  const pressed = [];
  Goop.render(base, Goop.dom("p", { class: ["a", false, "b"], data: { rowId: 7 }, style: { "--x": "1" } }, "text ", null, false, [1, ["two"]]),
    Goop.dom("button", { onClick: () => pressed.push("on"), click: () => pressed.push("bare"), type: "button", disabled: false, title: null }, "Do"));
  base.querySelector("button").click();
  const list = base.appendChild(document.createElement("div"));
  Goop.list(list, ["<i>", "b"], (text, index) => `${index}${text} `);
  const listed = list.innerHTML;
  Goop.list(list, [], () => "", { empty: "None", emptyClass: "none" });
  const grid = Goop.ui.grid(base.appendChild(document.createElement("div")));
  grid.col({ class: "left" }).append("Left"); grid.col();
  base.append(Goop.ui.loading(), Goop.ui.empty("Empty", { icon: "x" }), Goop.ui.avatar("peer id", { size: 30, alt: "A peer" }));
  const ago = (seconds) => Goop.ui.time(Date.now() - seconds * 1000);
  const elements = document.getElementById("elements");
  Goop.render(elements, Goop.section("Club", { level: 3 }, Goop.stats([{ label: "Members", value: 12 }]), Goop.actions(Goop.button("Join", { onClick: () => pressed.push("join"), class: "mine" }))),
    Goop.card({ title: "Card", body: "Body" }), Goop.item({ title: "Item", subtitle: "Sub" }), Goop.message({ from: "Ann", text: "<b>", own: true }),
    Goop.field("Name", { name: "n", help: "Help", required: true }), Goop.table(["a", { key: "b", label: "Bee", render: (value) => Goop.dom("b", null, value) }], [{ a: 1, b: 2, _id: 3 }]));
  elements.querySelector(".mine").click();
  return { first: base.firstChild.outerHTML, listed, none: list.outerHTML, pressed, cols: grid.el.children.length,
    times: [ago(5), ago(300), ago(3 * 3600), ago(2 * 86400), Goop.ui.time(""), Goop.ui.time("soon")], theme: Goop.ui.theme(),
    table: elements.querySelector("table").innerText.split(/\s+/), own: elements.querySelector(".gc-message-own .gc-message-text").textContent };
})();
