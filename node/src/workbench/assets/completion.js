// What may stand at the cursor: the names that this analyst may see, and the words of SQL.

import { el } from "./dom.js";

const KEYWORDS = (
  "SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET AS ON JOIN LEFT RIGHT FULL INNER OUTER CROSS UNION ALL DISTINCT WITH AND OR NOT IN IS NULL "
  + "BETWEEN LIKE ILIKE CASE WHEN THEN ELSE END ASC DESC EXISTS FILTER OVER PARTITION EXPLAIN ANALYZE CAST INTERVAL TRUE FALSE NULLS FIRST LAST USING"
).split(" ");
const FUNCTIONS = {
  count: "rows, or values that are not NULL", sum: "the sum", avg: "the average", min: "the least", max: "the greatest", round: "rounded",
  coalesce: "the first that is not NULL", lower: "in small letters", upper: "in capitals", abs: "without its sign", date_trunc: "the beginning of a unit of time",
  date_part: "a part of a time", substr: "a part of a text", st_point: "a point", st_asgeojson: "geometry as GeoJSON", st_astext: "geometry as text",
};
/** Behind these, datasets are named. */
const BEHIND = /\b(from|join|,)\s+[\w.]*$/i;

/** What is told of a dataset beside the list. */
export function about(dataset) {
  const facts = [
    dataset.form && `leaves as ${dataset.form}`, dataset.standard && `standard ${dataset.standard}`, dataset.size, dataset.last_change && `changed ${dataset.last_change}`,
  ].filter(Boolean);
  return el("div", { class: "told" },
    el("strong", {}, dataset.title || dataset.name), dataset.description && el("p", {}, dataset.description), facts.length > 0 && el("p", {}, facts.join(" · ")));
}

function aboutColumn(column, dataset) {
  const facts = [column.type, column.role, column.concept, column.unit].filter(Boolean);
  return el("div", { class: "told" }, el("strong", {}, column.name), el("p", {}, facts.join(" · ")), column.description && el("p", {}, column.description),
    el("p", {}, `of ${dataset.name}`));
}

/** The names, ready to be looked up. */
export class Names {
  datasets = [];
  #byName = new Map();

  /** Takes the list of the server. */
  set(datasets, federation) {
    this.datasets = datasets.map((dataset) => {
      const own = dataset.federation === federation || dataset.federation === null;
      return { ...dataset, name: `${own ? "" : `${dataset.federation}.`}${dataset.body}.${dataset.dataset}`, full: `${dataset.federation}.${dataset.body}.${dataset.dataset}` };
    });
    this.#byName.clear();
    for (const dataset of this.datasets) {
      for (const name of [dataset.name, dataset.full]) this.#byName.set(name.toLowerCase(), dataset);
    }
  }

  find(name) { return this.#byName.get(name.toLowerCase()); }

  /** The datasets that a text reads, by what it calls them. */
  #read(text) {
    const read = new Map();
    for (const [, name, alias] of text.matchAll(/\b(?:from|join|,)\s+([a-z_][\w]*(?:\.[a-z_][\w]*)+)(?:\s+(?:as\s+)?([a-z_]\w*))?/gi)) {
      const dataset = this.find(name);
      if (!dataset) continue;
      read.set(name.split(".").at(-1).toLowerCase(), dataset);
      if (alias && !KEYWORDS.includes(alias.toUpperCase())) read.set(alias.toLowerCase(), dataset);
    }
    return read;
  }

  /** Columns of whatever dataset, each name once: what is selected is written before it is known where from. */
  #anywhere() {
    const found = new Map();
    for (const dataset of this.datasets) {
      for (const column of dataset.columns) if (!found.has(column.name)) found.set(column.name, [column, dataset]);
    }
    return [...found.values()].map(([column, dataset]) => ({
      label: column.name, type: "property", detail: `of ${dataset.name}`, boost: -1, info: () => aboutColumn(column, dataset),
    }));
  }

  /** What the editor asks. */
  complete = (context) => {
    const word = context.matchBefore(/[A-Za-z_][\w.]*/);
    if (!word && !context.explicit) return null;
    const text = context.state.doc.toString();
    const said = word?.text ?? "";
    const dot = said.lastIndexOf(".");
    const read = this.#read(text);
    const column = (dataset, boost) => (found) => ({ label: found.name, type: "property", detail: found.type, boost, info: () => aboutColumn(found, dataset) });
    if (dot >= 0) {
      const before = said.slice(0, dot).toLowerCase();
      const dataset = read.get(before) ?? this.find(before);
      const from = word.from + dot + 1;
      if (dataset) return { from, options: dataset.columns.map(column(dataset, 1)), validFor: /^\w*$/ };
      const next = new Map();
      for (const candidate of this.datasets) {
        for (const name of [candidate.name, candidate.full]) {
          if (!name.toLowerCase().startsWith(`${before}.`)) continue;
          const [part, ...more] = name.slice(before.length + 1).split(".");
          if (!next.has(part)) next.set(part, more.length === 0 ? { label: part, type: "class", detail: candidate.form ?? "", info: () => about(candidate) } : { label: part, type: "namespace" });
        }
      }
      return next.size === 0 ? null : { from, options: [...next.values()], validFor: /^\w*$/ };
    }
    const names = BEHIND.test(text.slice(Math.max(0, context.pos - 200), context.pos));
    const options = this.datasets.map((dataset) => ({
      label: dataset.name, type: "class", detail: dataset.form ?? "", boost: names ? 20 : -5, info: () => about(dataset),
    }));
    if (!names) {
      for (const dataset of new Set(read.values())) options.push(...dataset.columns.map(column(dataset, 10)));
      if (read.size === 0) options.push(...this.#anywhere());
      options.push(...Object.entries(FUNCTIONS).map(([label, what]) => ({ label, type: "function", detail: what, apply: `${label}(`, boost: -2 })));
    }
    options.push(...KEYWORDS.map((label) => ({ label, type: "keyword", boost: names ? -20 : 0 })));
    return { from: word?.from ?? context.pos, options, validFor: /^[\w.]*$/ };
  };
}
