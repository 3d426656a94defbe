// Goop.drag.sortable(el): children that are dragged into another order, or into another list of the same group. By pointer, touch and keyboard:
// Space lifts an item, arrows move it, Space puts it down, Escape puts it back. Also served as goop-drag.js, its name in older pages.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { classes, find, idOf, make } = Goop.component;
  const THRESHOLD_PIXELS = 5;
  const EDGE_PIXELS = 48; // so near to the edge of the window, it scrolls
  const SCROLL_PIXELS = 12;
  const PRESSED = "button, a[href], input, select, textarea, label, [contenteditable='true']";
  const lists = new Set(); // every list that is sortable now
  let teller = null;
  let lifting = null; // the list whose item is lifted by keyboard: it may lie in another one meanwhile

  // Read out by a screen reader: the item itself has not changed.
  function tell(text) {
    if (!teller || !teller.isConnected) {
      teller = make("div", { className: "goop-drag-said" });
      teller.setAttribute("role", "status");
      teller.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
      document.body.append(teller);
    }
    teller.textContent = text;
  }

  function help() {
    let found = document.getElementById("goop-drag-help");
    if (!found) {
      found = make("div", { id: "goop-drag-help", hidden: true, textContent: t("Press Space to lift, arrow keys to move, Space to put down, Escape to put back.") });
      document.body.append(found);
    }
    return idOf(found);
  }

  /** sortable(el, {items, handle, group, direction, placeholder, onStart, onMove, onEnd, onCancel}) → {destroy}. */
  function sortable(given, options = {}) {
    const one = Goop.component("sortable", given, options);
    const { el } = one;
    const { items: selector, handle, group, direction = "vertical" } = options;
    const itemsOf = (list) => (list.selector ? [...list.el.querySelectorAll(list.selector)] : [...list.el.children]).filter((item) => !item.classList.contains("goop-drag-placeholder") && !item.classList.contains("goop-drag-ghost"));
    const self = { el, selector, group, direction };
    lists.add(self);
    one.after(() => lists.delete(self));
    const call = (name, what) => typeof options[name] === "function" && options[name](what);
    const mine = () => itemsOf(self);
    const allowed = () => [...lists].filter((list) => list === self || (group && list.group === group));
    const itemAt = (target) => mine().find((item) => item.contains(target));

    function prepare() {
      for (const item of mine()) {
        const grip = (handle && find(item, handle)) || item;
        if (!grip.hasAttribute("tabindex") && !grip.matches(PRESSED)) grip.tabIndex = 0;
        grip.setAttribute("aria-describedby", help());
        grip.style.touchAction = handle ? "none" : direction === "vertical" ? "pan-x" : "pan-y";
      }
    }

    // Where in a list it would be put: in front of the first item whose middle lies behind the point.
    function before(list, item, { x, y }) {
      return itemsOf(list).find((other) => {
        if (other === item) return false;
        const box = other.getBoundingClientRect();
        return list.direction === "horizontal" ? x < box.left + box.width / 2 : y < box.top + box.height / 2;
      });
    }

    function put(list, item, next) {
      const parent = next ? next.parentNode : itemsOf(list).at(-1)?.parentNode || list.el;
      parent.insertBefore(item, next || null);
    }

    function moved(item, from, to, oldIndex) {
      prepare();
      for (const list of lists) if (list.el === to.el && list.prepare) list.prepare();
      call("onEnd", { item, from, to: to.el, oldIndex, newIndex: itemsOf(to).indexOf(item) });
    }
    self.prepare = prepare;

    // By pointer
    function drag(item, start) {
      const oldIndex = mine().indexOf(item);
      const next = item.nextSibling;
      const box = item.getBoundingClientRect();
      const ghost = item.cloneNode(true);
      const space = make(item.tagName, { className: ["goop-drag-placeholder", ...classes(typeof options.placeholder === "string" ? options.placeholder : "")].join(" ") });
      let list = self;
      for (const copy of [ghost, ...ghost.querySelectorAll("[id]")]) copy.removeAttribute("id");
      ghost.setAttribute("aria-hidden", "true");
      ghost.classList.add("goop-drag-ghost");
      Object.assign(ghost.style, { position: "fixed", left: "0", top: "0", width: `${box.width}px`, height: `${box.height}px`, margin: "0", pointerEvents: "none", zIndex: "2147483646" });
      space.setAttribute("aria-hidden", "true");
      Object.assign(space.style, { width: direction === "horizontal" ? `${box.width}px` : "", height: `${box.height}px`, boxSizing: "border-box" });
      item.before(space);
      item.classList.add("goop-drag-source");
      item.style.display = "none";
      document.body.append(ghost);
      document.documentElement.classList.add("goop-drag-active");
      getSelection()?.removeAllRanges();
      call("onStart", { item, from: el, index: oldIndex });

      function over(point) {
        const under = document.elementFromPoint(point.x, point.y);
        const found = under && allowed().filter((one) => one.el.contains(under)).sort((one, other) => (one.el.contains(other.el) ? 1 : -1))[0];
        for (const each of allowed()) each.el.classList.toggle("goop-drag-over", each === found);
        if (!found) return;
        list = found;
        put(list, space, before(list, item, point));
      }

      function move(event) {
        const point = { x: event.clientX, y: event.clientY };
        ghost.style.transform = `translate(${box.left + point.x - start.x}px, ${box.top + point.y - start.y}px)`;
        if (point.y < EDGE_PIXELS) scrollBy(0, -SCROLL_PIXELS);
        else if (point.y > innerHeight - EDGE_PIXELS) scrollBy(0, SCROLL_PIXELS);
        over(point);
        call("onMove", { item, to: list.el, event });
      }

      function end(isDropped) {
        ghost.remove();
        item.style.display = "";
        item.classList.remove("goop-drag-source");
        document.documentElement.classList.remove("goop-drag-active");
        for (const each of allowed()) each.el.classList.remove("goop-drag-over");
        if (isDropped) space.replaceWith(item);
        else {
          space.remove();
          item.parentNode.insertBefore(item, next && next.parentNode === item.parentNode ? next : null);
          call("onCancel", { item });
        }
        if (isDropped) moved(item, el, list, oldIndex);
      }
      return { move, end };
    }

    one.on(el, "pointerdown", (event) => {
      const item = itemAt(event.target);
      if (!item || event.button !== 0 || one.disabled) return;
      const grip = handle ? event.target.closest(handle) : item;
      const pressed = event.target.closest(PRESSED);
      if (!grip || !item.contains(grip) || (pressed && item.contains(pressed) && pressed !== grip)) return;
      const start = { x: event.clientX, y: event.clientY };
      const ends = new AbortController();
      const on = (type, listener) => addEventListener(type, listener, { signal: ends.signal, capture: true });
      let dragging = null;
      const stop = (isDropped) => {
        ends.abort();
        if (!dragging) return;
        const ended = dragging;
        dragging = null;
        ended.end(isDropped);
        // The press that ends it is no click on what lies there.
        const swallow = (click) => click.stopPropagation() || click.preventDefault();
        addEventListener("click", swallow, { capture: true, once: true });
        setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
      };
      on("pointermove", (now) => {
        if (now.pointerId !== event.pointerId) return;
        if (!dragging && Math.hypot(now.clientX - start.x, now.clientY - start.y) < THRESHOLD_PIXELS) return;
        now.preventDefault();
        dragging = dragging || drag(item, start);
        dragging.move(now);
      });
      on("pointerup", (up) => up.pointerId === event.pointerId && stop(true));
      on("pointercancel", (up) => up.pointerId === event.pointerId && stop(false));
      on("keydown", (key) => {
        if (key.key !== "Escape") return;
        key.preventDefault();
        key.stopPropagation();
        stop(false);
      });
      on("dragstart", (native) => native.preventDefault()); // a picture in it is not dragged by the browser
      one.after(() => stop(false));
    });

    // By keyboard
    let lifted = null; // {item, index, parent, next, list}
    const name = (item) => (item.getAttribute("aria-label") || item.textContent).trim().slice(0, 60);
    const where = () => t("{0} of {1}", itemsOf(lifted.list).indexOf(lifted.item) + 1, itemsOf(lifted.list).length);

    function drop(isDropped) {
      const { item, index, parent, next, list, grip } = lifted;
      lifted = lifting = null;
      item.classList.remove("goop-drag-source");
      if (!isDropped) {
        parent.insertBefore(item, next);
        call("onCancel", { item });
      }
      grip.focus();
      tell(isDropped ? t("{0}: put down", name(item)) : t("{0}: put back", name(item)));
      if (isDropped) moved(item, el, list, index);
    }

    function step(key) {
      const { item, list } = lifted;
      const all = itemsOf(list);
      const at = all.indexOf(item);
      const along = list.direction === "horizontal" ? { ArrowLeft: -1, ArrowRight: 1 } : { ArrowUp: -1, ArrowDown: 1 };
      if (along[key]) {
        const other = all[at + along[key]];
        if (other) along[key] < 0 ? other.before(item) : other.after(item);
        return;
      }
      const those = allowed().sort((one, other) => (one.el.compareDocumentPosition(other.el) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
      const to = those[those.indexOf(list) + (["ArrowRight", "ArrowDown"].includes(key) ? 1 : -1)];
      if (!to) return;
      put(to, item, itemsOf(to)[at]);
      lifted.list = to;
    }

    function keyed(event) {
      const item = lifted ? lifted.item : itemAt(event.target);
      const grip = item && ((handle && find(item, handle)) || item);
      if (!grip || (event.target !== grip && !lifted) || one.disabled) return;
      if (!lifted) {
        if (event.key !== " ") return;
        lifted = { item, index: mine().indexOf(item), parent: item.parentNode, next: item.nextSibling, list: self, grip };
        lifting = self;
        item.classList.add("goop-drag-source");
        call("onStart", { item, from: el, index: lifted.index });
        tell(t("{0}: lifted, {1}", name(item), where()));
      } else if ([" ", "Enter"].includes(event.key)) drop(true);
      else if (event.key === "Escape" || event.key === "Tab") drop(false);
      else if (event.key.startsWith("Arrow")) {
        step(event.key);
        grip.focus();
        tell(where());
        call("onMove", { item, to: lifted.list.el, event });
      } else return;
      event.preventDefault();
      event.stopImmediatePropagation(); // or the list it was put into would lift it again
    }
    one.on(document, "keydown", (event) => (lifted || (!lifting && el.contains(event.target))) && keyed(event), { capture: true });
    one.after(() => lifted && drop(false));
    one.on(el, "focusin", prepare);
    const watch = new MutationObserver(prepare);
    watch.observe(el, { childList: true });
    one.after(() => watch.disconnect());
    prepare();
    return one.handle({});
  }

  Goop.drag = { sortable };
})();
