// The datasets that may be named: found by words, opened to their columns, put into the question at a press.

import { el, replace } from "./dom.js";
import { title } from "./flows.js";

function column(dataset, one, insert) {
  const facts = [one.type, one.role, one.concept, one.unit].filter(Boolean).join(" · ");
  return el("li", {}, el("button", { type: "button", class: "name", title: "Put it into the question", onclick: () => insert(one.name) }, one.name), el("span", { class: "small" }, facts),
    one.description && el("span", { class: "small what" }, one.description));
}

function card(dataset, insert, open) {
  return el("details", { class: "dataset", open },
    el("summary", {}, el("code", {}, dataset.name), dataset.form && el("span", { class: `tag form-${dataset.form}` }, dataset.form)),
    dataset.title && el("p", { class: "small what" }, dataset.title, dataset.description && ` – ${dataset.description}`),
    el("p", {}, el("button", { type: "button", class: "quiet", onclick: () => insert(dataset.name) }, `Put ${dataset.name} into the question`)),
    el("ul", { class: "columns" }, dataset.columns.map((one) => column(dataset, one, insert))));
}

/** Shows the datasets in an element, those that the words of a field find. */
export function show(host, field, datasets, insert) {
  const words = (dataset) => [dataset.name, dataset.title, dataset.description, ...dataset.columns.flatMap((one) => [one.name, one.concept])].filter(Boolean).join(" ").toLowerCase();
  const all = datasets.map((dataset) => ({ dataset, words: words(dataset) }));
  const draw = () => {
    const asked = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((one) => asked.every((word) => one.words.includes(word))).map((one) => one.dataset);
    const bodies = Map.groupBy ? Map.groupBy(found, (dataset) => dataset.body) : found.reduce((map, dataset) => map.set(dataset.body, [...(map.get(dataset.body) ?? []), dataset]), new Map());
    // Standards stand first: they are all bodies' at once.
    const order = [...bodies].sort(([a], [b]) => (b === "every") - (a === "every") || a.localeCompare(b));
    replace(host,
      el("p", { class: "small", "aria-live": "polite" }, found.length === all.length ? `${all.length} datasets` : `${found.length} of ${all.length} datasets`),
      order.map(([body, own]) => {
        const cards = own.map((dataset) => card(dataset, insert, false));
        const opened = asked.length > 0 || body === "every";
        return el("details", { class: "body", open: opened }, el("summary", {}, body === "every" ? "Every body, by standard" : title(body ?? "")), cards);
      }));
  };
  field.addEventListener("input", draw);
  draw();
}
