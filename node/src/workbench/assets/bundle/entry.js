// What the workbench uses of others: the editor, its SQL and its marks, and Arrow.
export { EditorState, Compartment, Prec } from "@codemirror/state";
export {
  EditorView, keymap, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, lineNumbers, placeholder,
  dropCursor, tooltips,
} from "@codemirror/view";
export { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
export { sql, SQLDialect, PostgreSQL } from "@codemirror/lang-sql";
export { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, closeCompletion } from "@codemirror/autocomplete";
export { setDiagnostics, lintGutter, lintKeymap, forEachDiagnostic } from "@codemirror/lint";
export { HighlightStyle, syntaxHighlighting, bracketMatching, indentOnInput, syntaxTree } from "@codemirror/language";
export { tags } from "@lezer/highlight";
export { RecordBatchReader, Type, TimeUnit, DateUnit } from "apache-arrow";
