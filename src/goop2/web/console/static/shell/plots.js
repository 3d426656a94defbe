// The plots of the last hour, drawn by uPlot, which is loaded when they are first looked at.
import { bytes, duration, grouped } from "./format.js";
import { el } from "./dom.js";
import { statusShown } from "./run.js";
import { t } from "./text.js";

const MINUTE = 60;
const MINUTES = 60;
const SCRIPTS_PLOTTED = 4; // the busiest; more lines would tell nothing
const TINTS = { light: ["#0b6b5d", "#b3261e", "#8a5a00", "#4455b8", "#7a3d8f"], dark: ["#5bcdb6", "#ff8f85", "#e7b555", "#9aa8ff", "#d79bea"] };

let loading = null;

// uPlot 1.6 makes a NumberFormat of navigator.language as it is, and WebKit says "C" where the system names no language.
function nameALanguage() {
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
  }
}

function loadUplot() {
  if (!loading) nameALanguage();
  loading ||= new Promise((resolve, reject) => {
    document.head.append(el("link", { rel: "stylesheet", href: "/vendor/uPlot.min.css" }));
    document.head.append(el("script", { src: "/vendor/uPlot.iife.min.js", onload: () => resolve(window.uPlot), onerror: reject }));
  });
  return loading;
}

const colour = (name) => {
  const probe = el("span", { style: { color: `var(${name})`, position: "absolute" } });
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};
const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
};

function byStatus(minutes, times) {
  const names = [...new Set(minutes.flatMap((minute) => Object.keys(minute.statuses)))].sort((a, b) => (b === "ok") - (a === "ok") || a.localeCompare(b));
  const at = new Map(minutes.map((minute) => [minute.at, minute]));
  return names.map((name) => ({ name: statusShown({ status: name }), values: times.map((time) => at.get(time)?.statuses[name] || 0) }));
}

function byScript(minutes, times) {
  const busy = new Map();
  for (const { latencies } of minutes) for (const { script } of latencies) busy.set(script, (busy.get(script) || 0) + 1);
  const scripts = [...busy].sort((a, b) => b[1] - a[1]).slice(0, SCRIPTS_PLOTTED).map(([script]) => script);
  const at = new Map(minutes.map((minute) => [minute.at, new Map(minute.latencies.map((one) => [one.script, one]))]));
  return scripts.flatMap((script, tint) =>
    ["p50", "p95"].map((share) => ({
      name: `${script} ${share}`, tint, key: share === "p50" ? script : null, dash: share === "p95" ? [4, 4] : null,
      values: times.map((time) => at.get(time)?.get(script)?.[share] ?? null),
    })),
  );
}

function memory(minutes, times) {
  const at = new Map(minutes.map((minute) => [minute.at, minute.memory_bytes]));
  return [{ name: t("most of one run"), values: times.map((time) => at.get(time) ?? null) }];
}

const PLOTS = [
  { title: t("Runs a minute"), series: byStatus, say: grouped, bars: true },
  { title: t("How long they take (dashed: p95)"), series: byScript, say: duration },
  { title: t("Memory"), series: memory, say: bytes },
];

/** Draws into `place`; returns `{ set(minutes), close() }`. */
export async function plots(place) {
  const cards = PLOTS.map(({ title }) => ({
    drawing: el("div", { class: "drawing", role: "img", "aria-label": title }), key: el("p", { class: "key" }), title,
  }));
  place.replaceChildren(
    ...cards.map(({ title, drawing, key }) => el("section", { class: "card plot" }, el("h2", {}, title), drawing, key)),
  );
  const UPlot = await loadUplot();
  let drawn = [];
  let shown = [];

  function draw() {
    drawn.forEach((one) => one.destroy());
    const now = Math.floor(Date.now() / 1000 / MINUTE) * MINUTE;
    const times = Array.from({ length: MINUTES }, (_, index) => now - (MINUTES - 1 - index) * MINUTE);
    drawn = PLOTS.map((plot, index) => paint(UPlot, plot, cards[index], plot.series(shown, times), times));
  }
  const resized = new ResizeObserver(() => drawn.forEach((one, index) => one.setSize(sizeOf(cards[index].drawing))));
  resized.observe(place);
  window.addEventListener("themechange", draw);
  return {
    set(minutes) {
      shown = minutes;
      draw();
    },
    close() {
      resized.disconnect();
      window.removeEventListener("themechange", draw);
      drawn.forEach((one) => one.destroy());
    },
  };
}

const sizeOf = (element) => ({ width: Math.max(element.clientWidth, 120), height: element.clientHeight });

function paint(UPlot, { say, bars }, { drawing, key, title }, series, times) {
  const tints = TINTS[isDark() ? "dark" : "light"];
  const tintOf = (one, index) => tints[(one.tint ?? index) % tints.length];
  key.replaceChildren(
    ...series.flatMap((one, index) => {
      if (one.key === null) return [];
      const named = el("span", {}, one.key || one.title || one.name);
      named.style.setProperty("--tint", tintOf(one, index));
      return named;
    }),
  );
  drawing.setAttribute("aria-label", t`${title}, the last hour: ${latest(series, say)}`);
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const clock = (_, splits) => splits.map((at) => new Date(at * 1000).toTimeString().slice(0, 5));
  return new UPlot(
    {
      ...sizeOf(drawing),
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [
        { ...axis, grid: { show: false }, values: clock, space: 60 },
        { ...axis, values: (_, splits) => splits.map((value) => (value === null ? "" : say(value))), size: 62, space: 34 },
      ],
      series: [
        {},
        ...series.map((one, index) => ({
          stroke: tintOf(one, index), width: 2, dash: one.dash, spanGaps: true, points: { show: !bars, size: 4, fill: tintOf(one, index) },
          ...(bars ? { paths: UPlot.paths.bars({ size: [0.8, 16], align: -1 }), fill: tintOf(one, index), width: 0 } : {}),
        })),
      ],
    },
    [times, ...(bars ? stacked(series) : series.map((one) => one.values))],
    drawing,
  );
}

/** Each on top of those after it; the tallest is painted first, so every one is seen. */
const stacked = (series) => series.map((_, from) => series[from].values.map((_, at) => series.slice(from).reduce((sum, one) => sum + one.values[at], 0)));

/** What a plot says to somebody who does not see it. */
function latest(series, say) {
  const latest = series.map(({ name, values }) => [name, values.findLast((value) => value !== null)]).filter(([, value]) => value !== undefined);
  return latest.length ? latest.map(([name, value]) => `${name} ${say(value)}`).join(", ") : t("nothing ran");
}
