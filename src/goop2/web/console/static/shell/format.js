// Numbers, times and sizes as people read them; numbers as the chosen language writes them.
// Dates are written as the commands of the terminal write them, and as they sort: 2026-11-30 14:03:22, in the time of this browser.
import { locale, t } from "./text.js";

const NUMBER = new Intl.NumberFormat(locale);
const TENTHS = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const two = (number) => String(number).padStart(2, "0");
const dayOf = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
const timeOf = (at) => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;

/** Seconds since 1970 → `14:03:22`; when it was not today the day and the minute, `2026-11-29 14:03`. */
export function clock(seconds) {
  const at = new Date(seconds * 1000);
  const today = at.toDateString() === new Date().toDateString();
  return today ? timeOf(at) : `${dayOf(at)} ${timeOf(at).slice(0, 5)}`;
}

/** Seconds since 1970 → `2026-11-30 14:03:22`. */
export const moment = (seconds) => `${dayOf(new Date(seconds * 1000))} ${timeOf(new Date(seconds * 1000))}`;

/** Milliseconds → `0.4 ms`, `120 ms`, `2.1 s`. */
export function duration(milliseconds) {
  if (milliseconds >= 1000) return `${TENTHS.format(milliseconds / 1000)} s`;
  return `${milliseconds >= 10 ? Math.round(milliseconds) : TENTHS.format(milliseconds)} ms`;
}

/** Bytes → `312 KB`. */
export function bytes(count) {
  if (count >= 1e6) return `${TENTHS.format(count / 1e6)} MB`;
  return count >= 1000 ? `${Math.round(count / 1000)} KB` : `${count} B`;
}

/** Seconds → `3 d 4 h`, `12 min`. */
export function span(seconds) {
  const units = [[86400, t("d")], [3600, "h"], [60, "min"], [1, "s"]];
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
