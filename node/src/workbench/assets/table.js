// A table of any length: only the rows that are seen are elements. One cell is active; arrows move it, as in a spreadsheet.

import { el, replace, announce } from "./dom.js";
import { kind, plain, shown } from "./values.js";

const ROW = 30;
/** Browsers draw nothing that is taller; a longer table is scrolled by its share. */
const TALLEST = 6_000_000;
/** Rows that are looked at for the width of a column. */
const SAMPLE = 300;
const [NARROWEST, WIDEST] = [72, 380];

/** The table in an element, over an answer that may grow. */
export class Table {
  #answer = null;
  #order = null;
  #sorted = null;
  #active = { row: 0, column: 0 };
  #widths = [];
  #grid; #head; #body; #layer;
  #drawn = null;

  constructor(host) {
    this.#head = el("div", { role: "rowgroup", class: "head" });
    this.#layer = el("div", { role: "rowgroup", class: "layer" });
    this.#body = el("div", { role: "presentation", class: "body" }, this.#layer);
    this.#grid = el("div", { role: "grid", class: "grid", tabindex: "0", "aria-label": "The answer", "aria-describedby": "table-keys" }, this.#head, this.#body);
    replace(host, this.#grid);
    this.#grid.addEventListener("scroll", () => this.#draw());
    this.#grid.addEventListener("keydown", (event) => this.#key(event));
    this.#layer.addEventListener("pointerdown", (event) => {
      const cell = event.target.closest("[role=gridcell]");
      if (cell) this.#activate(Number(cell.parentElement.dataset.row), Number(cell.dataset.column), false);
    });
    new ResizeObserver(() => { this.#drawn = null; this.#draw(); }).observe(this.#grid);
  }

  /** Shows another answer. */
  set answer(answer) {
    this.#answer = answer;
    this.#order = null;
    this.#sorted = null;
    this.#active = { row: 0, column: 0 };
    this.#grid.scrollTop = 0;
    this.#grid.scrollLeft = 0;
    this.grown();
  }

  /** There are more rows, or the receipt says more of them. */
  grown() {
    const answer = this.#answer;
    if (this.#order && this.#order.length !== answer?.rows) { this.#order = null; this.#sorted = null; }
    if (!answer || answer.fields.length === 0) { this.#head.replaceChildren(); this.#layer.replaceChildren(); return; }
    if (this.#widths.length !== answer.fields.length || answer.rows <= SAMPLE || !this.#drawn) this.#measure();
    this.#grid.setAttribute("aria-rowcount", answer.rows + 1);
    this.#grid.setAttribute("aria-colcount", answer.fields.length);
    this.#heading();
    this.#body.style.height = `${Math.min(answer.rows * ROW, TALLEST)}px`;
    this.#drawn = null;
    this.#draw();
  }

  #measure() {
    const { fields, rows } = this.#answer;
    this.#widths = fields.map((field, column) => {
      let longest = field.name.length + 3;
      for (let row = 0; row < Math.min(rows, SAMPLE); row += 1) {
        longest = Math.max(longest, (shown(field, this.#answer.value(row, column)) ?? "withheld").length);
      }
      return Math.round(Math.min(Math.max(longest * 8.1 + 26, NARROWEST), WIDEST));
    });
    const template = this.#widths.map((width) => `${width}px`).join(" ");
    this.#grid.style.setProperty("--columns", template);
    this.#grid.style.setProperty("--wide", `${this.#widths.reduce((sum, width) => sum + width, 0)}px`);
  }

  #heading() {
    const row = el("div", { role: "row", class: "row", "aria-rowindex": "1" }, this.#answer.fields.map((field, column) => {
      const sorted = this.#sorted?.column === column ? (this.#sorted.up ? "ascending" : "descending") : "none";
      return el("div", { role: "columnheader", "aria-colindex": column + 1, "aria-sort": sorted, class: kind(field) === "number" ? "number" : "" },
        el("button", { type: "button", tabindex: "-1", title: `Sort by ${field.name}`, onclick: () => this.sort(column) }, field.name,
          el("span", { "aria-hidden": "true", class: "sorted" }, { ascending: " ↑", descending: " ↓", none: "" }[sorted])));
    }));
    this.#head.replaceChildren(row);
  }

  /** Sorts by a column: down, up, as it came. Withheld cells stand last. */
  sort(column) {
    const before = this.#sorted?.column === column ? this.#sorted.up : undefined;
    if (before === true) {
      this.#sorted = null;
      this.#order = null;
    } else {
      const up = before === false;
      const field = this.#answer.fields[column];
      const numeric = kind(field) === "number" || kind(field) === "time";
      const keys = Array.from({ length: this.#answer.rows }, (_, row) => {
        const value = this.#answer.value(row, column);
        if (value === null) return null;
        if (!numeric) return String(plain(field, value));
        return Number(kind(field) === "number" ? plain(field, value) : value);
      });
      const compare = numeric ? (a, b) => a - b : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      this.#order = Uint32Array.from(keys.keys()).sort((a, b) => {
        if (keys[a] === null || keys[b] === null) return (keys[a] === null) - (keys[b] === null);
        return (up ? 1 : -1) * compare(keys[a], keys[b]);
      });
      this.#sorted = { column, up };
    }
    announce(this.#sorted ? `sorted by ${this.#answer.fields[column].name}, ${this.#sorted.up ? "least" : "most"} first` : "in the order of the answer");
    this.#heading();
    this.#drawn = null;
    this.#draw();
  }

  #rowAt(place) { return this.#order ? this.#order[place] : place; }

  /** Pixels of the whole table above what is seen. */
  get #top() {
    const { rows } = this.#answer;
    const whole = rows * ROW;
    if (whole <= TALLEST) return this.#grid.scrollTop;
    const room = this.#grid.clientHeight - this.#head.offsetHeight;
    const share = this.#grid.scrollTop / Math.max(TALLEST - room, 1);
    return Math.min(share, 1) * (whole - room);
  }

  set #top(top) {
    const whole = this.#answer.rows * ROW;
    const room = this.#grid.clientHeight - this.#head.offsetHeight;
    const wanted = Math.max(0, Math.min(top, whole - room));
    this.#grid.scrollTop = whole <= TALLEST ? wanted : (wanted / (whole - room)) * (TALLEST - room);
  }

  #draw() {
    const answer = this.#answer;
    if (!answer || answer.fields.length === 0 || this.#grid.clientHeight === 0) return;
    const top = this.#top;
    const first = Math.max(0, Math.floor(top / ROW) - 4);
    const last = Math.min(answer.rows, Math.ceil((top + this.#grid.clientHeight) / ROW) + 4);
    this.#layer.style.transform = `translateY(${this.#grid.scrollTop - top + first * ROW}px)`;
    const drawn = `${first} ${last}`;
    if (this.#drawn !== drawn) {
      this.#drawn = drawn;
      const statistics = answer.hasStatistics || !answer.receipt;
      const rows = [];
      for (let place = first; place < last; place += 1) rows.push(this.#row(place, statistics));
      this.#layer.replaceChildren(...rows);
    }
    this.#point();
  }

  #row(place, statistics) {
    const from = this.#rowAt(place);
    return el("div", { role: "row", class: "row", "aria-rowindex": place + 2, dataset: { row: place } }, this.#answer.fields.map((field, column) => {
      const value = this.#answer.value(from, column);
      const text = shown(field, value);
      const withheld = text === null && statistics;
      const names = [kind(field) === "number" ? "number" : "", withheld ? "withheld" : text === null ? "null" : ""].join(" ").trim();
      return el("div", {
        role: "gridcell", id: `cell-${place}-${column}`, "aria-colindex": column + 1, class: names, dataset: { column },
        // What is cut is told to who points at it.
        title: text !== null && text.length * 8 > this.#widths[column] - 20 ? String(plain(field, value)).slice(0, 2000) : undefined,
      },
        text === null ? (withheld ? "withheld" : "NULL") : text);
    }));
  }

  /** Shows which cell is active. */
  #point() {
    this.#layer.querySelector(".active")?.classList.remove("active");
    const { row, column } = this.#active;
    const cell = this.#layer.querySelector(`#cell-${row}-${column}`);
    if (cell) {
      cell.classList.add("active");
      this.#grid.setAttribute("aria-activedescendant", cell.id);
    } else {
      this.#grid.removeAttribute("aria-activedescendant");
    }
  }

  #activate(row, column, scroll = true) {
    const { rows, fields } = this.#answer;
    this.#active = { row: Math.max(0, Math.min(row, rows - 1)), column: Math.max(0, Math.min(column, fields.length - 1)) };
    if (scroll) {
      const y = this.#active.row * ROW;
      const room = this.#grid.clientHeight - this.#head.offsetHeight;
      if (y < this.#top) this.#top = y;
      else if (y + ROW > this.#top + room) this.#top = y + ROW - room;
      const left = this.#widths.slice(0, this.#active.column).reduce((sum, width) => sum + width, 0);
      const wide = this.#widths[this.#active.column];
      if (left < this.#grid.scrollLeft) this.#grid.scrollLeft = left;
      else if (left + wide > this.#grid.scrollLeft + this.#grid.clientWidth) this.#grid.scrollLeft = left + wide - this.#grid.clientWidth;
    }
    this.#draw();
  }

  #key(event) {
    if (!this.#answer || this.#answer.rows === 0) return;
    const { row, column } = this.#active;
    const page = Math.max(1, Math.floor((this.#grid.clientHeight - this.#head.offsetHeight) / ROW) - 1);
    const far = event.ctrlKey || event.metaKey;
    const to = {
      ArrowDown: [row + 1, column], ArrowUp: [row - 1, column], ArrowRight: [row, column + 1], ArrowLeft: [row, column - 1],
      PageDown: [row + page, column], PageUp: [row - page, column],
      Home: [far ? 0 : row, 0], End: [far ? Infinity : row, Infinity],
    }[event.key];
    if (to) {
      event.preventDefault();
      this.#activate(...to);
    } else if (event.key.toLowerCase() === "s" && !far && !event.altKey) {
      event.preventDefault();
      this.sort(column);
    } else if (event.key.toLowerCase() === "c" && far && String(getSelection()) === "") {
      const field = this.#answer.fields[column];
      const value = plain(field, this.#answer.value(this.#rowAt(row), column));
      navigator.clipboard?.writeText(value === null ? "" : String(value)).then(() => announce("copied"), () => {});
    }
  }
}
