// The editor: SQL with what may be named, and marks at the places that an error is about.
//
// It stands in a shadow root: there its style sheets are constructed, which needs no inline styles.

import {
  EditorState, EditorView, HighlightStyle, PostgreSQL, autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap,
  defaultKeymap, drawSelection, highlightActiveLine, highlightSpecialChars, history, historyKeymap, indentOnInput, indentWithTab, keymap,
  lineNumbers, lintKeymap, placeholder, setDiagnostics, sql, syntaxHighlighting, tags,
} from "./vendor.js";

const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--paper)", fontSize: ".9375rem", maxHeight: "min(60vh, 34rem)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", minHeight: "9.5rem", overflow: "auto" },
  ".cm-content": { padding: ".6rem 0", caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--soft)", border: "none", paddingRight: ".2rem" },
  ".cm-activeLine": { backgroundColor: "var(--line-active)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": { backgroundColor: "var(--select)" },
  ".cm-placeholder": { color: "var(--soft)" },
  ".cm-matchingBracket": { backgroundColor: "var(--select)", outline: "1px solid var(--soft)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--edge)", boxShadow: "0 6px 24px rgb(0 0 0 / .18)" },
  ".cm-tooltip-autocomplete ul li": { padding: ".15rem .5rem", fontFamily: "var(--mono)", fontSize: ".8125rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--deep)", color: "var(--on-deep)" },
  ".cm-completionDetail": { color: "inherit", opacity: ".75", fontStyle: "normal", marginLeft: "1rem" },
  ".cm-completionInfo": { maxWidth: "20rem", padding: ".6rem .8rem", fontFamily: "var(--sans)", fontSize: ".875rem", lineHeight: "1.4" },
  ".told p": { margin: ".25rem 0 0", color: "var(--soft)" },
  ".cm-diagnostic": { borderLeft: "4px solid var(--bad)", padding: ".4rem .6rem", fontFamily: "var(--sans)", fontSize: ".875rem", maxWidth: "34rem" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad) 1.5px", textUnderlineOffset: "4px", backgroundColor: "var(--bad-pale)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--code-word)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-text)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.lineComment, tags.blockComment], color: "var(--soft)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--code-name)" },
]);

/** The editor below an element. `ask` runs the question, `changed` is called when the text is another. */
export class Editor {
  #view;

  constructor(host, { complete, ask, explain, changed }) {
    const root = host.attachShadow({ mode: "open" });
    const run = (what) => () => { what(); return true; };
    this.#view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        extensions: [
          keymap.of([{ key: "Mod-Enter", run: run(ask) }, { key: "Shift-Mod-Enter", run: run(explain) }]),
          lineNumbers(), highlightSpecialChars(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), highlightActiveLine(),
          autocompletion({ override: [complete], activateOnTyping: true }),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap, indentWithTab]),
          sql({ dialect: PostgreSQL, upperCaseKeywords: true }),
          syntaxHighlighting(colours), theme, EditorView.lineWrapping,
          placeholder("SELECT … FROM body.dataset"),
          EditorView.contentAttributes.of({ "aria-label": "SQL", "aria-multiline": "true", tabindex: "0", spellcheck: "false", autocapitalize: "off" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) changed();
          }),
        ],
      }),
    });
  }

  get text() { return this.#view.state.doc.toString(); }

  set text(text) {
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert: text } });
    this.clear();
  }

  focus() { this.#view.focus(); }

  /** Puts a text where the cursor is. */
  insert(text) {
    this.#view.dispatch(this.#view.state.replaceSelection(text));
    this.focus();
  }

  /** The piece of the text at a line and column (from 1): a word, or what stands there. */
  #range({ line, column }) {
    const { doc } = this.#view.state;
    const row = doc.line(Math.min(Math.max(line, 1), doc.lines));
    // The server counts characters, the editor units of UTF-16.
    const before = [...row.text].slice(0, Math.max(column - 1, 0)).join("").length;
    const from = row.from + Math.min(before, row.length);
    const word = /^(?:[\w.]+|\S)/u.exec(row.text.slice(from - row.from));
    return { from, to: Math.min(from + Math.max(word?.[0].length ?? 1, 1), doc.length) };
  }

  /** Marks a place with what is wrong there, and shows it. */
  mark(place, message) {
    const { from, to } = this.#range(place);
    this.#view.dispatch(setDiagnostics(this.#view.state, [{ from, to: Math.max(to, from), severity: "error", message }]));
    this.#view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
  }

  /** Takes marks and lists away. */
  clear() {
    closeCompletion(this.#view);
    this.#view.dispatch(setDiagnostics(this.#view.state, []));
  }

  /** Puts a text in place of the word at a place. */
  change(place, text) {
    const { from, to } = this.#range(place);
    this.#view.dispatch({ changes: { from, to, insert: text }, selection: { anchor: from + text.length } });
    this.clear();
    this.focus();
  }
}
