// The editor of the console's Scripts page: CodeMirror 6 with Lua, completion of the goop table, and a script's error at its line.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lua } from "@codemirror/legacy-modes/mode/lua";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
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
  ".cm-completionInfo": { maxWidth: "24rem", whiteSpace: "pre-wrap" },
  ".cm-lint-marker-error": { content: "none", width: "0.7em", height: "0.7em", margin: "0.4em auto", borderRadius: "50%", backgroundColor: "var(--bad)" },
  ".cm-panels": { backgroundColor: "var(--card)", color: "var(--ink)" },
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

/** An editor in `parent`: {text(), set(text), fault({line, message} | null), focus(), destroy()}. */
export function edit(parent, { text, functions, label, changed, save }) {
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
    StreamLanguage.define(lua),
    syntaxHighlighting(colours),
    autocompletion({ override: [goopCompletions(functions)] }),
    keymap.of([
      { key: "Mod-s", run: () => (save(), true), preventDefault: true },
      ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap,
      indentWithTab,
    ]),
    EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
    EditorView.updateListener.of((update) => update.docChanged && setTimeout(changed)),
    looks,
  ];
  const made = (doc) => EditorState.create({ doc, extensions });
  const view = new EditorView({ state: made(text), parent });
  let shown = "null";
  return {
    text: () => view.state.doc.toString(),
    set(next) {
      shown = "null";
      view.setState(made(next));
    },
    fault(found) {
      const told = JSON.stringify(found);
      if (told === shown) return; // nothing is dispatched between two keys without need
      shown = told;
      const doc = view.state.doc;
      const marks = [];
      if (found) {
        const line = doc.line(Math.min(Math.max(found.line || 1, 1), doc.lines));
        marks.push({ from: line.from, to: line.to, severity: "error", message: found.message });
      }
      view.dispatch(setDiagnostics(view.state, marks));
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
