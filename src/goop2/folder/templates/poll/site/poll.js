// The polls in the browser: # is the list, #7 a poll, #new asks one. Forms are Goop.form's; their answers go to poll.lua, which alone writes.
import { sdk } from "./sdk.js";

const poll = (...asked) => Goop.data.api("poll")(...asked);
const at = (id) => document.getElementById(id);

let known = { polls: [], owner: false, can_answer: true };
let open = null;

/** An element with properties and children. Texts become text, never markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** What went wrong, in words for the reader: an error of a script begins with the script and the line. */
const said = (error) => (error.code === "rate_limited" ? "Not so fast: try again in a minute." : error.message.replace(/^[\w-]+:\d+: /, ""));
const answers = (number) => (number === 1 ? "1 answer" : `${number} answers`);

/** Asks the script; what it refuses is an error in words. */
async function asked(action, params) {
  try {
    return await poll(action, params);
  } catch (error) {
    throw new Error(said(error));
  }
}

/** Does something that may fail; says so, and gives false then. */
async function tried(work) {
  try {
    await work();
    return true;
  } catch (error) {
    Goop.ui.toast(said(error));
    return false;
  }
}

// The list

function entry(one) {
  const chips = element("span", { className: "row" }, element("span", { className: one.closed ? "chip warm" : "chip", textContent: one.closed ? "closed" : "open" }));
  if (one.mine) chips.append(element("span", { className: "chip", textContent: "you have answered" }));
  chips.append(element("span", { className: "soft small", textContent: answers(one.total) }));
  return element("li", { className: "card poll" }, element("a", { href: `#${one.id}` }, element("strong", { textContent: one.question }), chips));
}

function showList() {
  at("polls").replaceChildren(...known.polls.map(entry));
  at("none").hidden = known.polls.length > 0;
  switchTo("list");
}

// A poll

async function showAnswer(one) {
  if (one.closed || !known.can_answer) {
    const why = one.closed ? "This poll is closed." : "Only peers may answer: open this site from a peer of yours.";
    at("answer").replaceChildren(element("h2", { textContent: one.question }), element("p", { className: "soft", textContent: why }));
    return;
  }
  const options = one.choices.map((label, place) => ({ value: String(place + 1), label }));
  await Goop.form.render(at("answer"), {
    fields: [{ name: `poll-${one.id}`, label: one.question, type: "radio", options, required: true }],
    values: one.mine ? { [`poll-${one.id}`]: String(one.mine) } : undefined,
    submitLabel: "Answer",
    singleResponse: true,
    onSave: async (values) => {
      await asked("answer", { id: one.id, choice: Number(values[`poll-${one.id}`]) });
      await load();
      const now = known.polls.find(({ id }) => id === one.id);
      if (now && open?.id === one.id) showResults((open = now));
    },
  });
}

function showResults(one) {
  at("results").hidden = !one.counts;
  if (!one.counts) return;
  const bars = one.choices.flatMap((choice, place) => {
    const share = one.total ? Math.round((100 * one.counts[place]) / one.total) : 0;
    const bar = element("i");
    bar.style.width = `${share}%`;
    const mine = one.mine === place + 1;
    const name = element("dt", { className: mine ? "mine" : "" }, element("span", { textContent: mine ? `${choice} (your answer)` : choice }), element("b", { textContent: `${one.counts[place]} · ${share} %` }));
    return [element("div", {}, name, element("dd", { ariaHidden: "true" }, bar))];
  });
  at("bars").replaceChildren(...bars);
  at("total").textContent = answers(one.total);
}

async function showPoll(one) {
  open = one;
  await showAnswer(one);
  showResults(one);
  at("tools").hidden = !known.owner;
  at("close").textContent = one.closed ? "Open again" : "Close";
  switchTo("poll");
}

at("close").onclick = () => tried(async () => {
  await asked("close", { id: open.id, closed: !open.closed });
  await load();
  await route();
});
at("remove").onclick = async () => {
  const one = open;
  if (!(await Goop.ui.confirm(`Remove “${one.question}” and its ${answers(one.total)}?`))) return;
  await tried(async () => {
    await asked("remove", { id: one.id });
    await load();
    location.hash = "";
  });
};

// Asking

async function showNew() {
  await Goop.form.render(at("asking"), {
    fields: [
      { name: "question", label: "Question", required: true },
      { name: "choices", label: "Answers, each on a line of its own", type: "textarea", required: true },
    ],
    submitLabel: "Ask",
    onSave: async (values) => {
      const id = await asked("ask", values);
      await load();
      location.hash = `#${id}`;
    },
  });
  switchTo("new");
}

// Where we are

function switchTo(id) {
  for (const view of ["list", "poll", "new"]) at(view).hidden = view !== id;
}

async function load() {
  known = await asked("list");
  at("ask").hidden = !known.owner;
}

async function route() {
  const name = location.hash.slice(1);
  const one = known.polls.find(({ id }) => String(id) === name);
  open = null;
  if (one) return showPoll(one);
  if (name === "new" && known.owner) return showNew();
  return showList();
}

await sdk("form", "ui");
addEventListener("hashchange", () => tried(async () => {
  await load();
  await route();
}));
await tried(load);
await route();
