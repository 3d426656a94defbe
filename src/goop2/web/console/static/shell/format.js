// Numbers, times and sizes as people read them.
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const NUMBER = new Intl.NumberFormat();
const DATE = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** Seconds since 1970 → `14:03:22`, with the day when it was not today. */
export function clock(seconds) {
  const at = new Date(seconds * 1000);
  const today = at.toDateString() === new Date().toDateString();
  return today ? CLOCK.format(at) : `${DAY.format(at)} ${CLOCK.format(at)}`;
}

/** Seconds since 1970 → `Nov 30, 2026, 14:03:22`. */
export const moment = (seconds) => `${DATE.format(new Date(seconds * 1000))}, ${CLOCK.format(new Date(seconds * 1000))}`;

/** Milliseconds → `0.4 ms`, `120 ms`, `2.1 s`. */
export function duration(milliseconds) {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds >= 10 ? Math.round(milliseconds) : milliseconds.toFixed(1)} ms`;
}

/** Bytes → `312 KB`. */
export function bytes(count) {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} MB`;
  return count >= 1000 ? `${Math.round(count / 1000)} KB` : `${count} B`;
}

/** Seconds → `3 d 4 h`, `12 min`. */
export function span(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const from = units.findIndex(([size]) => seconds >= size);
  if (from < 0) return "0 s";
  const [[first, firstName], second] = [units[from], units[from + 1]];
  const rest = second && Math.floor((seconds % first) / second[0]);
  return `${Math.floor(seconds / first)} ${firstName}${rest && first > 60 ? ` ${rest} ${second[1]}` : ""}`;
}

/** A whole number with its thousands apart: `12,345`. */
export const grouped = (count) => NUMBER.format(count);

/** A peer id is long; its ends tell it apart. */
export const shortId = (id) => (id.length > 20 ? `${id.slice(0, 6)}…${id.slice(-6)}` : id);

export const counted = (count, what) => `${grouped(count)} ${what}${count === 1 ? "" : "s"}`;
