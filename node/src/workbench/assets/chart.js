// A chart of an answer: bars, a line or points. What does not fit is said, and the table has all of it.

import { el, svg, replace, count } from "./dom.js";
import { figure, kind, number, shown } from "./values.js";

const [MOST_BARS, MOST_MARKS] = [60, 5000];
const BAR = 24;

/** Round steps of an axis. */
function ticks(least, most, about) {
  const span = most - least || Math.abs(most) || 1;
  const raw = span / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  const first = Math.ceil(least / step - 1e-9) * step;
  const found = [];
  for (let value = first; value <= most + step * 1e-9; value += step) found.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  return found;
}

const isName = (one) => ["text", "truth"].includes(kind(one));
const isOrder = (one) => kind(one) === "time" || (kind(one) === "number" && /(^|_)(year|month|week|day|date)(_|$)/i.test(one.name));

/** What a chart of these columns would be, where nobody has said. */
function proposed(fields) {
  const columns = fields.map((field, column) => ({ field, column }));
  const order = columns.find(({ field }) => isOrder(field));
  const names = columns.filter(({ field }) => isName(field));
  // A column of codes stands beside one of names: the names are read.
  const name = names.find(({ field }) => /name|title|borough$/i.test(field.name)) ?? names.at(-1);
  const numeric = columns.filter(({ field }) => kind(field) === "number" && !isOrder(field));
  const y = numeric.at(-1);
  if (!y) return null;
  if (order) return { type: "line", x: order.column, y: y.column };
  if (name) return { type: "bars", x: name.column, y: y.column };
  return numeric.length > 1 ? { type: "points", x: numeric[0].column, y: y.column } : null;
}

/** The chart in an element. */
export class Chart {
  #host; #answer = null; #chosen = null;

  constructor(host) {
    this.#host = host;
    let width = 0;
    new ResizeObserver(() => {
      if (Math.abs(host.clientWidth - width) < 8 || host.clientWidth === 0) return;
      width = host.clientWidth;
      this.draw();
    }).observe(host);
  }

  set answer(answer) {
    this.#answer = answer;
    this.#chosen = null;
    this.draw();
  }

  draw() {
    const answer = this.#answer;
    if (!answer || answer.fields.length === 0) return replace(this.#host, el("p", { class: "empty" }, "There is no answer yet."));
    this.#chosen ??= proposed(answer.fields);
    if (!this.#chosen || answer.rows === 0) {
      return replace(this.#host, el("p", { class: "empty" }, "A chart needs rows, a column of numbers, and one of names, times or numbers beside it."));
    }
    const width = Math.max(280, Math.min(this.#host.clientWidth || 600, 980));
    const { picture, notes } = this.#chosen.type === "bars" ? this.#bars(width) : this.#plane(width);
    replace(this.#host, this.#controls(), el("div", { class: "drawn" }, picture), notes.length > 0 && el("p", { class: "small" }, notes.join(" ")));
  }

  #controls() {
    const choice = (label, key, among) => el("label", {}, `${label} `, el("select", {
      onchange: (event) => {
        this.#chosen = { ...this.#chosen, [key]: key === "type" ? event.target.value : Number(event.target.value) };
        this.draw();
      },
    }, among.map(([value, name]) => el("option", { value, selected: String(value) === String(this.#chosen[key]) }, name))));
    const columns = this.#answer.fields.map((field, column) => [column, field.name]);
    const numeric = columns.filter(([column]) => kind(this.#answer.fields[column]) === "number");
    return el("div", { class: "controls" },
      choice("Chart", "type", [["bars", "bars"], ["line", "line"], ["points", "points"]]), choice("of", "y", numeric), choice("by", "x", columns));
  }

  #label(row, column) { return shown(this.#answer.fields[column], this.#answer.value(row, column)) ?? "NULL"; }

  #bars(width) {
    const { x, y } = this.#chosen;
    const { rows, fields } = this.#answer;
    const shownRows = Array.from({ length: Math.min(rows, MOST_BARS) }, (_, row) => ({ label: this.#label(row, x), value: number(fields[y], this.#answer.value(row, y)) }));
    const values = shownRows.flatMap(({ value }) => (value === null ? [] : [value]));
    const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
    const left = Math.min(Math.max(...shownRows.map(({ label }) => label.length)) * 7.2 + 14, width * 0.42);
    const right = width - 64;
    const scale = (value) => left + ((value - least) / (most - least || 1)) * (right - left);
    const height = shownRows.length * BAR + 34;
    const axis = ticks(least, most, width < 500 ? 3 : 6).map((value) => svg("g", { class: "tick" },
      svg("line", { x1: scale(value), x2: scale(value), y1: 22, y2: height - 8 }), svg("text", { x: scale(value), y: 14, "text-anchor": "middle" }, figure(value))));
    const room = Math.floor((left - 10) / 7);
    const marks = shownRows.map(({ label, value }, at) => {
      const top = 26 + at * BAR;
      const cut = label.length > room ? `${label.slice(0, Math.max(room - 1, 1))}…` : label;
      const withheld = value === null;
      const [from, to] = withheld ? [scale(0), scale(0) + 74] : [scale(Math.min(value, 0)), scale(Math.max(value, 0))];
      return svg("g", { class: "bar" }, svg("title", {}, `${label}: ${withheld ? "withheld" : figure(value)}`),
        svg("text", { x: left - 8, y: top + 13, "text-anchor": "end" }, cut),
        svg("rect", { x: from, y: top, width: Math.max(to - from, 1), height: BAR - 7, class: withheld ? "withheld" : "filled" }),
        svg("text", { x: to + 5, y: top + 13, class: "figure" }, withheld ? "withheld" : figure(value)));
    });
    const notes = rows > MOST_BARS ? [`The first ${MOST_BARS} of ${count(rows, "row")}.`] : [];
    if (values.length < shownRows.length) notes.push("A dashed box stands for a figure that is unknown; its length says nothing.");
    const picture = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${fields[y].name} by ${fields[x].name}, as bars; the table has the figures` }, axis, marks);
    return { picture, notes };
  }

  #plane(width) {
    const { x, y, type } = this.#chosen;
    const { rows, fields } = this.#answer;
    const named = !["number", "time"].includes(kind(fields[x]));
    const all = Array.from({ length: Math.min(rows, MOST_MARKS) }, (_, row) => ({
      row, x: named ? row : number(fields[x], this.#answer.value(row, x)), y: number(fields[y], this.#answer.value(row, y)),
    }));
    const marks = all.filter((mark) => mark.x !== null && mark.y !== null);
    if (type === "line") marks.sort((a, b) => a.x - b.x);
    const height = Math.round(Math.min(Math.max(width * 0.55, 240), 460));
    const [left, top, right, bottom] = [64, 12, width - 16, height - 34];
    const xs = marks.map((mark) => mark.x);
    const ys = marks.map((mark) => mark.y);
    const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
    const [y0, y1] = [Math.min(type === "line" ? 0 : Infinity, ...ys), Math.max(...ys)];
    const across = (value) => left + ((value - x0) / (x1 - x0 || 1)) * (right - left);
    const up = (value) => bottom - ((value - y0) / (y1 - y0 || 1)) * (bottom - top);
    const isTime = kind(fields[x]) === "time";
    const written = (value) => (named ? this.#label(value, x) : isTime ? new Date(value).toISOString().slice(0, 10) : isOrder(fields[x]) ? String(Math.round(value)) : figure(value));
    const steps = ticks(x0, x1, width < 500 ? 3 : 7).filter((value) => !(named || isOrder(fields[x])) || isTime || Number.isInteger(value));
    const grid = [
      ...ticks(y0, y1, 5).map((value) => svg("g", { class: "tick" }, svg("line", { x1: left, x2: right, y1: up(value), y2: up(value) }), svg("text", { x: left - 8, y: up(value) + 4, "text-anchor": "end" }, figure(value)))),
      ...steps.map((value) => svg("g", { class: "tick" }, svg("line", { x1: across(value), x2: across(value), y1: bottom, y2: bottom + 5 }), svg("text", { x: across(value), y: bottom + 20, "text-anchor": "middle" }, written(value)))),
    ];
    const drawn = type === "line"
      ? [svg("path", { d: marks.map((mark, at) => `${at === 0 ? "M" : "L"}${across(mark.x).toFixed(1)},${up(mark.y).toFixed(1)}`).join(""), class: "line" })]
      : [];
    if (type === "points" || marks.length <= 80) {
      drawn.push(...marks.map((mark) => svg("circle", { cx: across(mark.x).toFixed(1), cy: up(mark.y).toFixed(1), r: 3.5, class: "point" }, svg("title", {}, `${written(mark.x)}: ${figure(mark.y)}`))));
    }
    const notes = rows > MOST_MARKS ? [`The first ${MOST_MARKS.toLocaleString("en-GB")} of ${count(rows, "row")}.`] : [];
    if (marks.length < all.length) notes.push(`${count(all.length - marks.length, "row")} without a value ${all.length - marks.length === 1 ? "is" : "are"} not drawn: withheld is unknown, never 0.`);
    const picture = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${fields[y].name} by ${fields[x].name}, as ${type === "line" ? "a line" : "points"}; the table has the figures` }, grid, drawn);
    return { picture, notes };
  }
}
