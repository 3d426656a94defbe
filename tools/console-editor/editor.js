// The editor of the console: CodeMirror 6 with Lua, completion of the goop table and of tables, and what is wrong at its place; and with the
// languages of a site's pages.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { css } from "@codemirror/legacy-modes/mode/css";
import { javascript, json } from "@codemirror/legacy-modes/mode/javascript";
import { lua } from "@codemirror/legacy-modes/mode/lua";
import { html, xml } from "@codemirror/legacy-modes/mode/xml";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, StateField } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers, showTooltip } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { StyleModule } from "style-mod";

// CodeMirror's own way to its styles is a <style> element, which the console's policy forbids; sheets made by code it allows.
const mounted = new Set();
StyleModule.mount = (_root, modules) => {
  for (const module of [].concat(modules)) {
    if (mounted.has(module)) continue;
    mounted.add(module);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(module.getRules());
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }
};

// The colours are the console's own, so that light and dark need nothing here.
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.atom], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.tagName, tags.heading, tags.propertyName], color: "var(--code-keyword)" },
  { tag: tags.attributeName, color: "var(--code-name)" },
  { tag: tags.heading, fontWeight: "600" },
  { tag: [tags.standard(tags.variableName), tags.function(tags.variableName)], color: "var(--code-name)" },
]);

const looks = EditorView.theme({
  "&": { height: "100%", fontSize: "0.9rem", backgroundColor: "var(--code-back)", color: "var(--code-text)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-gutters": { backgroundColor: "var(--code-back)", color: "var(--code-comment)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--code-line)" },
  ".cm-cursor": { borderLeftColor: "var(--code-text)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--code-selected)" },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-ink)" },
  ".cm-goop-help": { padding: "0.35rem 0.6rem", maxWidth: "min(34rem, 90vw)", fontSize: "0.85rem", fontFamily: "system-ui, sans-serif" },
  ".cm-goop-help code": { fontFamily: "var(--mono)", overflowWrap: "anywhere" },
  ".cm-goop-help p": { margin: "0.25rem 0 0" },
  ".cm-goop-help .cm-goop-now": { fontWeight: "700", textDecoration: "underline" },
  ".cm-completionInfo": { maxWidth: "24rem", whiteSpace: "pre-wrap" },
  ".cm-lint-marker-error": { content: "none", width: "0.7em", height: "0.7em", margin: "0.4em auto", borderRadius: "50%", backgroundColor: "var(--bad)" },
  ".cm-lint-marker-warning": { content: "none", width: "0.7em", height: "0.7em", margin: "0.4em auto", borderRadius: "50%", backgroundColor: "var(--warn)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)", textUnderlineOffset: "3px" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warn)", textUnderlineOffset: "3px" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-panels": { backgroundColor: "var(--card)", color: "var(--ink)" },
  ".cm-panels.cm-panels-bottom": { borderTop: "1px solid var(--line)" },
  ".cm-panel.cm-search": { display: "flex", flexWrap: "wrap", alignItems: "center", gap: "0.4rem", padding: "0.5rem 2.2rem 0.5rem 0.6rem", fontFamily: "system-ui, sans-serif", fontSize: "0.85rem" },
  ".cm-panel.cm-search br": { flexBasis: "100%", content: "''" },
  ".cm-panel.cm-search label": { display: "inline-flex", alignItems: "center", gap: "0.3rem", fontSize: "0.85rem" },
  ".cm-panel.cm-search .cm-textfield": { background: "var(--sunken)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px", padding: "0.25rem 0.5rem", minHeight: "2rem", fontSize: "0.9rem" },
  ".cm-panel.cm-search .cm-button": { background: "var(--card)", backgroundImage: "none", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px", padding: "0.25rem 0.6rem", minHeight: "2rem" },
  ".cm-panel.cm-search .cm-button:hover": { background: "var(--hover)" },
  ".cm-panel.cm-search [name=close]": { right: "0.4rem", top: "0.4rem", minHeight: "1.6rem", width: "1.6rem", padding: "0", border: "0", background: "none", color: "var(--ink)" },
  ".cm-searchMatch": { backgroundColor: "var(--warn-back)", outline: "1px solid var(--warn)" },
  ".cm-searchMatch-selected": { backgroundColor: "var(--code-selected)" },
});

/** Completions of `goop.…`: functions are [{name: "kv.get", signature, doc}]. */
function goopCompletions(functions) {
  const groups = [...new Set(functions.filter((one) => one.name.includes(".")).map((one) => one.name.split(".")[0]))];
  return (context) => {
    const typed = context.matchBefore(/goop\.[\w.]*/);
    if (!typed) return null;
    const path = typed.text.slice("goop.".length);
    const at = path.lastIndexOf(".") + 1;
    const prefix = path.slice(0, at);
    const options = functions
      .filter((one) => one.name.startsWith(prefix) && !one.name.slice(prefix.length).includes("."))
      .map((one) => ({ label: one.name.slice(prefix.length), type: "function", detail: one.signature, info: `${one.returns}\n\n${one.doc}` }));
    if (!prefix) options.push(...groups.map((group) => ({ label: group, type: "namespace" })), ...["peer", "self"].map((label) => ({ label, type: "namespace" })));
    return { from: typed.from + "goop.".length + at, options };
  };
}

// What a function of goop is: its call, with parameter `at` marked, what it gives, and what it does.
function helpOn({ name, signature, returns, doc }, at = -1) {
  const made = (tag, text, className = "") => Object.assign(document.createElement(tag), { textContent: text, className });
  const dom = made("div", "", "cm-goop-help");
  const call = made("code", `goop.${name}(`);
  signature.slice(1, -1).split(", ").filter(Boolean).forEach((parameter, place, all) => {
    const isLast = place === all.length - 1;
    const isNow = place === at || (isLast && at > place && parameter.endsWith("…"));
    call.append(made("span", parameter, isNow ? "cm-goop-now" : ""), isLast ? "" : ", ");
  });
  call.append(`) → ${returns}`);
  dom.append(call, made("p", doc));
  return dom;
}

// Hovering over goop.kv.get says what it is.
function goopHover(functions) {
  return hoverTooltip((view, pos) => {
    const line = view.state.doc.lineAt(pos);
    for (const match of line.text.matchAll(/\bgoop\.([\w.]+)/g)) {
      const [from, to] = [line.from + match.index, line.from + match.index + match[0].length];
      const found = pos >= from && pos <= to && functions.find(({ name }) => name === match[1]);
      if (found) return { pos: from, end: to, above: true, create: () => ({ dom: helpOn(found) }) };
    }
    return null;
  });
}

// The call of a function of goop that is open at the cursor: {found, from, at}; null outside of one.
function openCall(state, functions) {
  const pos = state.selection.main.head;
  const start = Math.max(0, pos - CALL_LOOKED_BACK);
  const before = state.sliceDoc(start, pos);
  let [depth, commas, quote] = [0, 0, ""];
  for (let at = before.length - 1; at >= 0; at--) {
    const letter = before[at];
    if (quote) quote = letter === quote && before[at - 1] !== "\\" ? "" : quote;
    else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === ")" || letter === "}" || letter === "]") depth++;
    else if ((letter === "{" || letter === "[") && depth-- === 0) [depth, commas] = [0, 0]; // a table among the arguments
    else if (letter === "(" && depth-- === 0) {
      const match = /\bgoop\.([\w.]+)\s*$/.exec(before.slice(0, at));
      const found = match && functions.find(({ name }) => name === match[1]);
      if (found) return { found, from: start + match.index, at: commas };
      [depth, commas] = [0, 0];
    } else if (letter === "," && depth === 0) commas++;
    else if (letter === ";" || /^\s*(?:end|local|return|function)\b/.test(before.slice(at + 1, at + 12)) && letter === "\n") return null;
  }
  return null;
}

// While the arguments of a function of goop are written, its parameters stand above them.
function goopSignature(functions) {
  const tooltip = (state) => {
    const open = state.selection.main.empty ? openCall(state, functions) : null;
    return open && { pos: open.from, above: true, create: () => ({ dom: helpOn(open.found, open.at) }) };
  };
  return StateField.define({
    create: () => null,
    update: (value, transaction) => (transaction.docChanged || transaction.selection ? (transaction.isUserEvent("select.pointer") ? null : tooltip(transaction.state)) : value),
    provide: (field) => showTooltip.from(field),
  });
}

const CALL_LOOKED_BACK = 1000; // characters before the cursor in which a call begins
const LOOKED_BACK = 4000; // characters before the cursor in which a statement or a call begins

// The text that is open at the end of `before`, null outside of one.
function openText(before) {
  const long = Math.max(before.lastIndexOf("[["), before.lastIndexOf("[=["));
  if (long >= 0 && long > Math.max(before.lastIndexOf("]]"), before.lastIndexOf("]=]"))) return before.slice(long + 2);
  const line = before.slice(before.lastIndexOf("\n") + 1);
  let quote = "";
  let from = 0;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === "\\") at++;
    else if (quote ? line[at] === quote : line[at] === '"' || line[at] === "'") {
      quote = quote ? "" : line[at];
      from = at + 1;
    } else if (!quote && line.startsWith("--", at)) return null;
  }
  return quote ? line.slice(from) : null;
}

/** Completions of tables and their columns, in SQL and in the arguments of goop.schema and goop.orm; `tables()` are [{name, columns}]. */
function tableCompletions(tables) {
  const asTable = (one) => ({ label: one.name, type: "class", detail: `${one.columns.length} columns` });
  const columnsOf = (names, ending = "") => tables().filter(({ name }) => names.includes(name))
    .flatMap(({ name, columns }) => columns.map((column) => ({ label: column.name, apply: column.name + ending, type: "property", detail: `${column.type}, ${name}` })));
  const answer = (typed, options) => (options.length ? { from: typed.from, options, validFor: /^\w*$/ } : null);

  return (context) => {
    const typed = context.matchBefore(/\w*/);
    const before = context.state.sliceDoc(Math.max(0, context.pos - LOOKED_BACK), context.pos);
    if (!tables().length || (typed.from === typed.to && !context.explicit && !/["'\s]$/.test(before))) return null;
    const named = [...before.matchAll(/goop\.(?:schema\.\w+|orm|config)\s*\(\s*["'](\w+)["']/g)].map(([, name]) => name);
    const text = openText(before);
    if (text === null) {
      // A column of a row: goop.schema.insert("posts", { ti|
      const row = /goop\.schema\.(?:insert|update|validate|seed)\s*\(\s*["'](\w+)["'][^()]*\{(?:[^{}]*,)?\s*\w*$/.exec(before);
      return row ? answer(typed, columnsOf([row[1]], " = ")) : null;
    }
    if (/goop\.(?:schema\.\w+|orm|config)\s*\(\s*["']\w*$/.test(before)) return answer(typed, tables().map(asTable));
    if (/\b(?:from|join|into|update)\s+\w*$/i.test(text)) return answer(typed, tables().map(asTable));
    const words = new Set(text.match(/\w+/g) || []);
    const mentioned = tables().map(({ name }) => name).filter((name) => words.has(name));
    const isStatement = /^\s*(?:select|insert|update|delete|replace|with)\b/i.test(text);
    const isOption = /\b(?:where|order|fields|expr|group_by)\s*=\s*\{?\s*(?:["'][^"']*["']\s*,\s*)*["'][^"']*$/.test(before) || /:(?:pluck|distinct|get_by|upsert)\(\s*["']\w*$/.test(before);
    if (!isStatement && !isOption) return null;
    return answer(typed, [...columnsOf(mentioned.length ? mentioned : named.slice(-1)), ...(isStatement ? tables().map(asTable) : [])]);
  };
}

// As much of Markdown as helps to read it.
const markdown = {
  name: "markdown",
  startState: () => ({ code: false }),
  token(stream, state) {
    if (stream.sol() && stream.match(/^\s*(```|~~~).*/)) {
      state.code = !state.code;
      return "string";
    }
    if (state.code) return stream.skipToEnd(), "string";
    if (stream.sol() && stream.match(/^#{1,6}\s.*/)) return "heading";
    if (stream.sol() && stream.match(/^\s*(>|[-*+]\s|\d+[.)]\s)/)) return "keyword";
    if (stream.match(/`[^`]*`/)) return "string";
    if (stream.match(/!?\[[^\]]*\]\([^)]*\)/)) return "propertyName";
    if (stream.match(/(\*\*|__)[^*_]+\1/)) return "keyword";
    stream.next();
    stream.eatWhile(/[^`![*_]/);
    return null;
  },
};
const LANGUAGES = { lua, html, xml, css, javascript, json, markdown };

/**
 * An editor in `parent`, which can have the focus: {text(), set(text), replace(text), fault({line, message} | null), findings([{start, end, severity,
 * message}]), goto(line), focus(), destroy()}. Escape gives the focus to `parent`, unless it has closed something.
 */
export function edit(parent, { text, functions = [], tables = () => [], label, changed, save, run = () => {}, language = "lua" }) {
  // The focus goes to the frame around the text; the next Tab goes on behind it.
  function leave({ contentDOM }) {
    contentDOM.tabIndex = -1;
    parent.focus();
    parent.addEventListener("blur", () => { contentDOM.tabIndex = 0; }, { once: true });
    return true;
  }

  const extensions = [
    lineNumbers(),
    lintGutter(),
    history(),
    drawSelection(),
    indentOnInput(),
    indentUnit.of("  "),
    bracketMatching(),
    closeBrackets(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    ...(LANGUAGES[language] ? [StreamLanguage.define(LANGUAGES[language])] : []),
    syntaxHighlighting(colours),
    ...(language === "lua" ? [goopHover(functions), goopSignature(functions), autocompletion({ override: [goopCompletions(functions), tableCompletions(tables)] })] : [EditorView.lineWrapping]),
    keymap.of([
      // CodeMirror lets Tab go for two seconds after any Escape, also after one that has only closed a list.
      { key: "Escape", run: (view) => (view.setTabFocusMode(false), false) },
      { key: "Mod-s", run: () => (save(), true), preventDefault: true },
      { key: "Mod-Enter", run: () => (run(), true), preventDefault: true },
      ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap,
      indentWithTab,
      { key: "Escape", run: leave },
    ]),
    EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
    EditorView.updateListener.of((update) => update.docChanged && setTimeout(changed)),
    looks,
  ];
  const made = (doc) => EditorState.create({ doc, extensions });
  const view = new EditorView({ state: made(text), parent });
  let shown = "";
  let [wrong, odd] = [null, []];

  function mark() {
    const told = JSON.stringify([wrong, odd]);
    if (told === shown) return; // nothing is dispatched between two keys without need
    shown = told;
    const doc = view.state.doc;
    const within = (place) => Math.min(Math.max(place, 0), doc.length);
    const marks = odd.map(({ start, end, severity, message }) => ({ from: within(start), to: within(end), severity, message }));
    if (wrong && !odd.some(({ severity }) => severity === "error")) {
      const line = doc.line(Math.min(Math.max(wrong.line || 1, 1), doc.lines));
      marks.push({ from: line.from, to: line.to, severity: "error", message: wrong.message });
    }
    view.dispatch(setDiagnostics(view.state, marks.sort((one, other) => one.from - other.from)));
  }

  return {
    text: () => view.state.doc.toString(),
    // Unlike `set` it can be undone.
    replace: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    set(next) {
      [shown, wrong, odd] = ["", null, []];
      view.setState(made(next));
    },
    fault(found) {
      wrong = found;
      mark();
    },
    findings(found) {
      odd = found;
      mark();
    },
    goto(number) {
      const line = view.state.doc.line(Math.min(Math.max(number, 1), view.state.doc.lines));
      view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
      view.focus();
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
