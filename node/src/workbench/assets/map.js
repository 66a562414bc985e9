// A map of an answer: boroughs as tiles where a column holds their codes, as they are where shapes are known, and any geometry.
//
// One place is in the order of Tab; arrows go to the next one in their direction.

import { el, svg, replace } from "./dom.js";
import { BOROUGHS, COLUMNS, ROWS } from "./boroughs.js";
import { geometry, outline, projection } from "./shapes.js";
import { figure, kind, number, plain, shown } from "./values.js";

const CLASSES = 5;
/** Rows that are looked for codes, and shapes that are drawn. */
const [SAMPLE, MOST_SHAPES] = [200, 5000];
const CODE = /^E09\d{6}$/;

/** The column of borough codes; -1 where there is none. */
export function codes(answer) {
  return answer.find((field, column) => {
    if (kind(field) !== "text") return false;
    let [found, other] = [0, 0];
    for (let row = 0; row < Math.min(answer.rows, SAMPLE); row += 1) {
      const value = answer.value(row, column);
      if (value === null) continue;
      if (CODE.test(value)) found += 1; else other += 1;
    }
    return found > 0 && other === 0;
  });
}

/** The column of geometry; -1 where there is none. */
export function shapesOf(answer) {
  return answer.find((field, column) => {
    if (!["bytes", "text"].includes(kind(field)) || (kind(field) === "text" && !/geo|shape|wkt/i.test(field.name))) return false;
    for (let row = 0; row < Math.min(answer.rows, SAMPLE); row += 1) {
      const value = answer.value(row, column);
      if (value !== null && geometry(value) !== null) return true;
    }
    return false;
  });
}

/** Bounds between classes with about as many values in each. */
function bounds(values) {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return [];
  const cuts = Array.from({ length: CLASSES - 1 }, (_, at) => sorted[Math.floor(((at + 1) * sorted.length) / CLASSES)]);
  return [...new Set(cuts)].filter((cut) => cut > sorted[0]);
}

/** The map in an element. */
export class Plan {
  #host; #answer = null; #column = -1; #known = null; #shapesFrom = null;

  /** `shapes` fetches the boroughs' outlines where a dataset has them: a function, or null. */
  constructor(host) { this.#host = host; }

  /** How outlines may be had: a name for the button and what fetches them. */
  set shapes(found) { this.#shapesFrom = found; }

  set answer(answer) {
    this.#answer = answer;
    this.#column = -1;
    this.draw();
  }

  #numbers(answer, but) {
    return answer.fields.map((field, column) => [field, column]).filter(([field, column]) => column !== but && kind(field) === "number");
  }

  draw() {
    const answer = this.#answer;
    if (!answer || answer.fields.length === 0) return this.#nothing("There is no answer yet.");
    const [code, shape] = [codes(answer), shapesOf(answer)];
    if (code < 0 && shape < 0) {
      return this.#nothing("This answer names no borough by its code (gss:borough) and holds no geometry. Select one of the two, and it is drawn here.");
    }
    const numeric = this.#numbers(answer, code);
    if (!numeric.some(([, column]) => column === this.#column)) this.#column = numeric.at(-1)?.[1] ?? -1;
    const places = this.#places(answer, shape >= 0 ? -1 : code, shape);
    const values = places.flatMap(({ value }) => (value === null ? [] : [value]));
    const cuts = bounds(values);
    for (const place of places) {
      place.class = place.state !== "value" ? place.state : `class-${cuts.filter((cut) => place.value >= cut).length + (CLASSES - 1 - cuts.length)}`;
    }
    const drawn = shape >= 0 || this.#known ? this.#outlines(places) : this.#tiles(places);
    const said = el("p", { class: "picked", "aria-live": "polite" }, "Choose a place to read its row.");
    this.#move(drawn, places, said);
    const field = answer.fields[this.#column];
    replace(this.#host,
      el("div", { class: "controls" },
        numeric.length > 0 && el("label", {}, "Coloured by ", el("select", { onchange: (event) => { this.#column = Number(event.target.value); this.draw(); } },
          numeric.map(([one, column]) => el("option", { value: column, selected: column === this.#column }, one.name)))),
        shape < 0 && this.#shapesFrom && !this.#known && el("button", { type: "button", class: "quiet", onclick: () => this.#fetch() }, this.#shapesFrom.label)),
      el("div", { class: "beside" }, el("div", { class: "drawn" }, drawn),
        el("div", {}, said, field && values.length > 0 && this.#legend(values, cuts, places))),
    );
  }

  #nothing(why) { replace(this.#host, el("p", { class: "empty" }, why)); }

  async #fetch() {
    const found = await this.#shapesFrom.fetch();
    if (found) {
      this.#known = found;
      this.draw();
    }
  }

  /** What is drawn: one for each borough, or one for each row with geometry. */
  #places(answer, code, shape) {
    const field = answer.fields[this.#column];
    const told = (row) => answer.fields.map((one, column) => [one, column]).filter(([, column]) => column !== shape)
      .map(([one, column]) => `${one.name} ${shown(one, answer.value(row, column)) ?? (answer.hasStatistics ? "withheld" : "NULL")}`).join(" · ");
    const of = (row) => {
      const value = field ? number(field, answer.value(row, this.#column)) : null;
      return { row, value, state: value !== null ? "value" : field ? (answer.hasStatistics ? "withheld" : "null") : "value", told: told(row) };
    };
    if (shape >= 0) {
      const places = [];
      for (let row = 0; row < Math.min(answer.rows, MOST_SHAPES); row += 1) {
        const found = geometry(answer.value(row, shape));
        if (found) places.push({ ...of(row), shape: found, label: told(row) });
      }
      return places;
    }
    const rows = {};
    for (let row = 0; row < answer.rows; row += 1) {
      const gss = answer.value(row, code);
      if (!Object.hasOwn(BOROUGHS, gss)) continue;
      // Several rows of a borough are several figures: the first is shown, and the place says how many there are.
      if (gss in rows) rows[gss].more += 1; else rows[gss] = { ...of(row), more: 0 };
    }
    return Object.entries(BOROUGHS).map(([gss, [name, column, line, short]]) => {
      const found = rows[gss] ?? { row: null, value: null, state: "absent", told: this.#absent, more: 0 };
      const more = found.more > 0 ? ` (the first of ${found.more + 1} rows)` : "";
      return { ...found, gss, name, column, line, short, label: `${name}: ${found.told}${more}`, shape: this.#known?.[gss] };
    });
  }

  /** What is not there may have been withheld with its whole group. */
  get #absent() {
    return this.#answer.hasStatistics ? "not in the answer: none, or withheld with its group" : "not in the answer";
  }

  #tiles(places) {
    const field = this.#answer.fields[this.#column];
    return el("div", { class: "tiles", role: "group", "aria-label": `London's boroughs as tiles${field ? `, coloured by ${field.name}` : ""}` }, places.map((place) => {
      const text = place.state === "withheld" ? "withheld" : place.value === null ? "" : figure(place.value);
      const tile = el("button", { type: "button", class: `tile ${place.class}`, "aria-label": place.label, dataset: { gss: place.gss } },
        el("span", { class: "short" }, place.short), el("span", { class: "figure" }, text));
      tile.style.gridColumn = place.column + 1;
      tile.style.gridRow = place.line + 1;
      place.element = tile;
      place.centre = [place.column / COLUMNS, place.line / ROWS];
      return tile;
    }));
  }

  #outlines(places) {
    const width = Math.max(280, Math.min(this.#host.clientWidth || 600, 900));
    const shaped = places.filter((place) => place.shape);
    const project = projection(shaped.map((place) => place.shape), width, Math.min(640, innerHeight * 0.8));
    return svg("svg", { class: "outlines", viewBox: `0 0 ${width} ${project.height}`, width, height: project.height, role: "group", "aria-label": "A map of the answer" },
      shaped.map((place) => {
        const path = svg("path", { d: outline(place.shape, project), class: `outline ${place.class}`, role: "button", "aria-label": place.label, "fill-rule": "evenodd" });
        const all = [...place.shape.points, ...place.shape.lines.flat(), ...place.shape.rings.flat()].map(project.point);
        place.element = path;
        place.centre = [0, 1].map((axis) => all.reduce((sum, point) => sum + point[axis], 0) / all.length);
        return path;
      }));
  }

  #move(drawn, places, said) {
    const shownPlaces = places.filter((place) => place.element);
    const pick = (place, focus) => {
      shownPlaces.forEach((one) => { one.element.setAttribute("tabindex", one === place ? "0" : "-1"); one.element.classList.toggle("picked-place", one === place && focus); });
      if (focus) {
        said.textContent = place.label;
        place.element.focus({ preventScroll: false });
      }
    };
    if (shownPlaces.length === 0) return;
    pick(shownPlaces[0], false);
    for (const place of shownPlaces) {
      place.element.addEventListener("click", () => pick(place, true));
      place.element.addEventListener("focus", () => { said.textContent = place.label; });
      place.element.addEventListener("pointerenter", () => { said.textContent = place.label; });
    }
    drawn.addEventListener("keydown", (event) => {
      const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      const from = shownPlaces.find((place) => place.element === document.activeElement);
      if (!direction || !from) return;
      event.preventDefault();
      const cost = (place) => {
        const [dx, dy] = [place.centre[0] - from.centre[0], place.centre[1] - from.centre[1]];
        const along = dx * direction[0] + dy * direction[1];
        const aside = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
        return along <= 1e-6 || along < aside * 0.6 ? Infinity : along + 2 * aside;
      };
      const next = shownPlaces.filter((place) => place !== from).map((place) => [cost(place), place]).sort((a, b) => a[0] - b[0])[0];
      if (next && next[0] < Infinity) pick(next[1], true);
    });
  }

  #legend(values, cuts, places) {
    const edges = [Math.min(...values), ...cuts, Math.max(...values)];
    const steps = edges.slice(1).map((edge, at) => el("li", {}, el("span", { class: `swatch class-${at + (CLASSES - 1 - cuts.length)}` }), `${figure(edges[at])} to ${figure(edge)}`));
    const others = [["withheld", "withheld: unknown, never 0"], ["null", "without a value"], ["absent", this.#absent]]
      .filter(([state]) => places.some((place) => place.state === state))
      .map(([state, text]) => el("li", {}, el("span", { class: `swatch ${state}` }), text));
    return el("ul", { class: "legend" }, steps, others);
  }
}

/** The boroughs' outlines of an answer with a column of codes and one of geometry. */
export function outlinesOf(answer) {
  const [code, shape] = [codes(answer), shapesOf(answer)];
  if (code < 0 || shape < 0) return null;
  const found = {};
  for (let row = 0; row < answer.rows; row += 1) {
    const one = geometry(answer.value(row, shape));
    const gss = plain(answer.fields[code], answer.value(row, code));
    if (one && gss) found[gss] = one;
  }
  return found;
}
