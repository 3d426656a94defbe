// Goop.ui.datepicker(el): a date, with a time if wanted, as the text "YYYY-MM-DD" or "YYYY-MM-DD HH:MM".
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { make, popup } = Goop.component;
  const DAYS = 7;
  const WEEKS = 6;
  const MARKUP = `<input class="gc-datepicker-input" autocomplete="off"><button type="button" class="gc-datepicker-trigger" aria-label="${t("Choose a date")}">▾</button><div class="gc-datepicker-popup"></div>`;

  const two = (number) => String(number).padStart(2, "0");
  const textOf = (day) => `${String(day.getFullYear()).padStart(4, "0")}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
  const added = (day, days) => new Date(day.getFullYear(), day.getMonth(), day.getDate() + days);

  // {day, time} of a text; null when it is no date that there is.
  function read(text) {
    const found = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::\d{2}(?:\.\d+)?Z?)?)?$/.exec(String(text ?? "").trim());
    if (!found) return null;
    const [year, month, date, hour = 0, minute = 0] = found.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
    const day = new Date(year, month - 1, date);
    if (day.getMonth() !== month - 1 || day.getDate() !== date || hour > 23 || minute > 59) return null;
    return { day, time: `${two(hour)}:${two(minute)}` };
  }

  // The same day of another month, or that month's last.
  function monthsOn(day, months) {
    const last = new Date(day.getFullYear(), day.getMonth() + months + 1, 0).getDate();
    return new Date(day.getFullYear(), day.getMonth() + months, Math.min(day.getDate(), last));
  }

  /** datepicker(el, {value, time, min, max, firstDay, format, input, popup, openClass, onChange}) → {getValue, setValue, open, close, …}.
   * `firstDay`: 0 Sunday … 6, 1 when it is not given. `format`: a function that gives the text shown for a value. */
  Goop.ui.datepicker = function (el, options = {}) {
    const { time: hasTime = false, firstDay = 1, openClass = "open", format = (value) => value } = options;
    const bare = el instanceof HTMLInputElement; // an input alone: the rest is made around it
    const holder = bare ? make("span", { className: "gc-datepicker" }) : el;
    if (bare) el.replaceWith(holder);
    if (bare) holder.append(el, make("button", { type: "button", className: "gc-datepicker-trigger", ariaLabel: t("Choose a date"), textContent: "▾" }), make("div", { className: "gc-datepicker-popup" }));
    const one = Goop.component("datepicker", holder, options, MARKUP);
    const input = bare ? el : one.part("input") || one.el.querySelector("input");
    const trigger = one.part("trigger") || input;
    const panel = one.part("popup") || one.el.appendChild(make("div", { className: "gc-datepicker-popup" }));
    const [least, most] = [options.min, options.max].map((text) => (read(text) ? textOf(read(text).day) : ""));
    let value = "";
    let at = new Date(); // the day that has the focus
    if (input && !input.labels?.length && !input.hasAttribute("aria-label")) input.setAttribute("aria-label", hasTime ? t("Date and time") : t("Date"));
    if (input && !input.placeholder) input.placeholder = hasTime ? "YYYY-MM-DD HH:MM" : "YYYY-MM-DD";

    const isAllowed = (day) => (!least || textOf(day) >= least) && (!most || textOf(day) <= most);
    const timeNow = () => panel.querySelector("input[type=time]")?.value || read(value)?.time || "00:00";
    const chooser = popup(one, trigger, panel, { openClass, onOpen: () => draw(true) });
    panel.setAttribute("role", "dialog");
    panel.setAttribute("aria-label", t("Choose a date"));

    function setValue(text) {
      const found = read(text);
      value = found ? (hasTime ? `${textOf(found.day)} ${found.time}` : textOf(found.day)) : "";
      if (found) at = found.day;
      if (input) input.value = value ? format(value) : "";
      if (chooser.isOpen()) draw(false);
    }

    function choose(text) {
      const before = value;
      setValue(text);
      if (value !== before) one.changed(value);
    }

    function cell(day) {
      const text = textOf(day);
      const button = make("button", { type: "button", textContent: day.getDate(), className: "gc-datepicker-day", disabled: !isAllowed(day), tabIndex: text === textOf(at) ? 0 : -1 });
      button.dataset.date = text;
      button.setAttribute("aria-label", day.toLocaleDateString(undefined, { weekday: "long", year: "numeric", month: "long", day: "numeric" }));
      button.setAttribute("aria-pressed", String(value.slice(0, 10) === text));
      button.classList.toggle("gc-datepicker-other", day.getMonth() !== at.getMonth());
      if (text === textOf(new Date())) button.setAttribute("aria-current", "date");
      return make("td", {}, button);
    }

    function draw(takesFocus) {
      const first = new Date(at.getFullYear(), at.getMonth(), 1);
      const start = added(first, -((first.getDay() - firstDay + DAYS) % DAYS));
      const days = (row) => Array.from({ length: DAYS }, (_, column) => added(start, row * DAYS + column));
      const turn = (text, label, months) => {
        const button = make("button", { type: "button", textContent: text, onclick: () => move(monthsOn(at, months), button.dataset.turn) });
        button.setAttribute("aria-label", label);
        button.dataset.turn = label;
        return button;
      };
      const heading = make("div", { className: "gc-datepicker-month", textContent: at.toLocaleDateString(undefined, { year: "numeric", month: "long" }) });
      heading.setAttribute("aria-live", "polite");
      const names = days(0).map((day) => {
        const name = make("th", { scope: "col", textContent: day.toLocaleDateString(undefined, { weekday: "short" }) });
        return name;
      });
      const table = make("table", { className: "gc-datepicker-days" }, make("thead", {}, make("tr", {}, ...names)), make("tbody", {}, ...Array.from({ length: WEEKS }, (_, row) => make("tr", {}, ...days(row).map(cell)))));
      const kept = timeNow();
      panel.replaceChildren(make("div", { className: "gc-datepicker-head" }, turn("‹", t("Month before"), -1), heading, turn("›", t("Month after"), 1)), table);
      if (hasTime) {
        const time = make("input", { type: "time", value: kept, className: "gc-datepicker-time" });
        time.setAttribute("aria-label", t("Time"));
        time.addEventListener("change", (event) => {
          event.stopPropagation();
          if (time.value) choose(`${value.slice(0, 10) || textOf(at)} ${time.value}`);
          panel.querySelector("input[type=time]").focus(); // it was drawn anew
        });
        panel.append(time);
      }
      if (takesFocus) panel.querySelector(".gc-datepicker-day[tabindex='0']")?.focus();
    }

    function move(day, focused) {
      at = day;
      draw(!focused);
      if (focused) panel.querySelector(`[data-turn="${focused}"]`).focus();
    }

    one.on(panel, "click", (event) => {
      const day = event.target.closest("[data-date]");
      if (!day) return;
      choose(hasTime ? `${day.dataset.date} ${timeNow()}` : day.dataset.date);
      if (hasTime) draw(true);
      else chooser.close(true);
    });
    one.on(panel, "keydown", (event) => {
      if (!event.target.matches("[data-date]")) return;
      const weekday = (at.getDay() - firstDay + DAYS) % DAYS;
      const days = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -DAYS, ArrowDown: DAYS, Home: -weekday, End: DAYS - 1 - weekday }[event.key];
      const months = { PageUp: -1, PageDown: 1 }[event.key];
      if (days === undefined && months === undefined) return;
      event.preventDefault();
      const to = months ? monthsOn(at, months) : added(at, days);
      move(isAllowed(to) ? to : read(least && textOf(to) < least ? least : most).day);
    });
    one.on(trigger, "click", () => (trigger === input ? chooser.open() : chooser.toggle()));
    one.on(input, "keydown", (event) => {
      if (!["ArrowDown", "Enter"].includes(event.key)) return;
      event.preventDefault();
      if (event.key === "ArrowDown") return chooser.open();
      choose(written());
    });
    // What was written is taken when it is a date, or nothing; else the value stays.
    const written = () => (!input.value.trim() || (read(input.value) && isAllowed(read(input.value).day)) ? input.value : value);
    one.on(input, "change", (event) => {
      event.stopPropagation();
      choose(input.value === format(value) ? value : written());
    });
    setValue(options.value ?? (input ? input.value : ""));
    return one.handle({ getValue: () => value, setValue, open: chooser.open, close: chooser.close });
  };
})();
