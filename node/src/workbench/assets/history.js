// What was asked from this browser, kept in its own storage alone: the questions, never an answer.

import { el, replace, announce } from "./dom.js";

const KEY = "meridian.history";
const MOST = 100;

function read() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((one) => typeof one?.sql === "string") : [];
  } catch {
    return [];
  }
}

/** Keeps a question, the newest first and each once. */
export function remember({ sql, purpose }) {
  const others = read().filter((one) => one.sql !== sql || one.purpose !== purpose);
  try {
    localStorage.setItem(KEY, JSON.stringify([{ sql, purpose, at: new Date().toISOString() }, ...others].slice(0, MOST)));
  } catch { /* A browser that keeps nothing keeps no history. */ }
}

/** The newest one. */
export const last = () => read()[0];

/** Shows the history in an element; `open` is called with a question. */
export function show(host, open) {
  const kept = read();
  if (kept.length === 0) return replace(host, el("p", { class: "empty" }, "Questions that you run are listed here, in this browser only."));
  replace(host,
    el("ol", { class: "asked" }, kept.map((one) => el("li", {}, el("button", { type: "button", class: "entry", onclick: () => open(one) },
      el("code", {}, one.sql.replaceAll(/\s+/g, " ").slice(0, 160)),
      el("span", { class: "small" }, `${new Date(one.at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}${one.purpose ? ` · ${one.purpose}` : ""}`))))),
    el("p", {}, el("button", {
      type: "button", class: "quiet", onclick: () => {
        localStorage.removeItem(KEY);
        show(host, open);
        announce("the history is cleared");
      },
    }, "Clear the history of this browser")));
}
