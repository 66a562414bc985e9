// Questions to begin with, made of what this analyst may name: they are put into the editor, and run when somebody asks them.

import { el, replace } from "./dom.js";

const [MOST, ROWS] = [6, 100];
const isBorough = (column) => column.concept === "gss:borough" || /^borough(_gss)?$/.test(column.name);
const isYear = (column) => /^year$/.test(column.name);
// Of a standard it is not told what its numbers are: those that are summed go by these names.
const isFigure = (column) => /^(households|people|population|amount|dwellings|total)(_|$)/.test(column.name);
const words = (name) => name.replaceAll("_", " ");

/** What may be asked of one dataset. */
function* of(dataset) {
  const { name, columns, form } = dataset;
  const [borough, year, figure] = [isBorough, isYear, isFigure].map((test) => columns.find(test));
  const what = words(dataset.dataset);
  if (dataset.body === "every") {
    if (borough && !figure) {
      yield { title: `${what} by borough, from every body`, sql: `SELECT ${borough.name}, COUNT(*) AS n\nFROM ${name}\nGROUP BY ${borough.name}\nORDER BY n DESC` };
    } else if (borough) {
      yield { title: `${words(figure.name)} by borough, from every body`, sql: `SELECT ${borough.name}, SUM(${figure.name}) AS ${figure.name}\nFROM ${name}\nGROUP BY ${borough.name}\nORDER BY ${figure.name} DESC` };
    }
    return;
  }
  if (form === "statistics") {
    if (borough) yield { title: `${what} by borough`, sql: `SELECT ${borough.name}, COUNT(*) AS n\nFROM ${name}\nGROUP BY ${borough.name}\nORDER BY n DESC` };
    if (year) yield { title: `${what} by year`, sql: `SELECT year, COUNT(*) AS n\nFROM ${name}\nGROUP BY year\nORDER BY year` };
  }
  if (form === "open") yield { title: `${what}: all of it is open`, sql: `SELECT *\nFROM ${name}\nLIMIT ${ROWS}` };
}

/** A few of them, of different kinds: a standard first, then one dataset after the other. */
export function questions(datasets) {
  const found = { every: [], statistics: [], open: [] };
  const seen = new Set();
  for (const dataset of [...datasets].sort((a, b) => (b.body === "every") - (a.body === "every"))) {
    // Thirty boroughs publish the same kind of dataset: one of a name is enough.
    if (seen.has(dataset.dataset)) continue;
    const own = [...of(dataset)];
    if (own.length > 0) seen.add(dataset.dataset);
    found[dataset.body === "every" ? "every" : dataset.form]?.push(...own);
  }
  return [...found.every.slice(0, 2), ...found.statistics.slice(0, 3), ...found.open].slice(0, MOST);
}

/** Shows them in an element; `open` is called with the SQL of one. */
export function show(host, datasets, open) {
  const all = questions(datasets);
  host.hidden = all.length === 0;
  replace(host, el("h2", { id: "first-title" }, "To begin with"), el("ul", { class: "cards", "aria-labelledby": "first-title" }, all.map((one) => el("li", {},
    el("button", { type: "button", class: "card", onclick: () => open(one.sql) }, el("strong", {}, one.title.charAt(0).toUpperCase() + one.title.slice(1)), el("code", {}, one.sql))))));
}
