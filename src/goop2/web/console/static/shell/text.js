// The texts of the console in the language that theme.js has chosen. The English text is the key: the file of a language (goop2/web/languages/)
// has it beside the same in that language, and what is not there stays English. This module waits for the file, so every other finds it read.
const MISSING = { plain: {}, plurals: {} };

/** The languages there are, and the one that is shown, as codes such as "de". */
export const languages = document.documentElement.dataset.languages.split(" ");
export const language = document.documentElement.lang;

/** The same for Intl, with the country that the browser names: "de-AT". */
export const locale = navigator.languages.find((one) => one.split("-")[0] === language) || language;

async function load() {
  if (language === "en") return MISSING;
  try {
    return await (await fetch(`/languages/${language}.json`)).json();
  } catch {
    return MISSING; // the peer is gone; the page says so, in English
  }
}

const { plain, plurals } = { ...MISSING, ...await load() };
const rules = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(locale);
const PLACE = /\{(\d)\}/;

const fill = (text, values) => text.replace(new RegExp(PLACE, "g"), (_, place) => values[place]);

/** A text: t("Save"), or in front of a template, t`Rename ${name}`, whose key is "Rename {0}". */
export function t(text, ...values) {
  const key = typeof text === "string" ? text : text.reduce((sum, piece, place) => `${sum}{${place - 1}}${piece}`);
  return fill(plain[key] ?? key, values);
}

/** A text for a number of things: many(3, "{0} row in {1}", "{0} rows in {1}", table); {0} is the number. */
export function many(count, one, other, ...values) {
  const forms = plurals[other];
  return fill(forms?.[rules.select(count)] ?? forms?.other ?? (count === 1 ? one : other), [numbers.format(count), ...values]);
}

/** A text with elements in it: mix("Share {0} no more?", el("bdi", {}, name)) gives the list of its pieces. */
export function mix(text, ...nodes) {
  return (plain[text] ?? text).split(PLACE).map((piece, place) => (place % 2 ? nodes[piece] : piece));
}
