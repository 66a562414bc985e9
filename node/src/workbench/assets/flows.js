// What leaves whom: bodies on the left, the asker on the right, a line for each.
//
// The same picture shows what would happen, what happens, and what has happened. Its words stand in a table beside it.

import { el, svg, count, size } from "./dom.js";

/** How a line is called. */
const WORDS = {
  asked: "asked", answering: "answering", done: "answered", enough: "answered", unavailable: "can't be reached", refused: "refuses",
  limit: "stopped at a limit", failed: "failed", left: "left out", yes: "would release", no: "would not release", unknown: "has not decided",
  would: "would be asked", broken: "does not hold",
};
const FORMS = { open: "open", rows: "rows", statistics: "statistics", none: "nothing" };
const ROW = 30;

/** The amount of a flow, for people. */
export function amount({ rows, bytes, estimate }) {
  const parts = [];
  if (rows !== undefined && rows !== null) parts.push(`${estimate ? "about " : ""}${count(rows, "row")}`);
  if (bytes) parts.push(size(bytes));
  return parts.join(" · ");
}

const SMALL = new Set(["and", "of", "upon", "the"]);

/** A body's name for people: `tower_hamlets` is Tower Hamlets, `lfb` is LFB. */
export const title = (body) => body.split(".").map((part) => (part.length <= 3 ? part.toUpperCase()
  : part.split("_").map((word) => (SMALL.has(word) ? word : word.charAt(0).toUpperCase() + word.slice(1))).join(" "))).join(" · ");

function curve(x1, y1, x2, y2) {
  const middle = (x1 + x2) / 2;
  return `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2}`;
}

/**
 * The picture. `flows`: body, state, form (the widest), rows, bytes, estimate; `asker`: who asks; `summary`: what it shows, in one
 * sentence.
 */
export function picture(flows, asker, summary, width) {
  const narrow = width < 560;
  const gap = narrow ? 36 : flows.length > 16 ? 24 : ROW;
  const height = Math.max(flows.length * gap + 16, 110);
  const left = narrow ? Math.min(176, width * 0.5) : 300;
  const right = width - (narrow ? 74 : 150);
  const middle = height / 2;
  const tall = Math.max(68, Math.min(height * 0.5, flows.length * 9));
  const thick = Math.min(6.5, (tall / flows.length) * 0.75);
  const most = Math.max(1, ...flows.map((flow) => Math.log1p(flow.bytes || flow.rows || 0)));
  const lines = flows.map((flow, at) => {
    const y = 8 + (at + 0.5) * ((height - 16) / flows.length);
    const weight = flow.bytes || flow.rows ? 1.5 + thick * (Math.log1p(flow.bytes || flow.rows) / most) : 1.5;
    const y2 = middle + ((at + 0.5) / flows.length - 0.5) * (tall - 12);
    const what = amount(flow) || WORDS[flow.state] || "";
    const line = svg("path", {
      d: curve(left + 14, y, right, y2), class: `flow ${flow.state} form-${flow.form ?? "unknown"}`, "stroke-width": weight.toFixed(1),
    });
    return svg("g", { class: `body-row ${flow.state}` },
      line,
      svg("circle", { cx: left + 8, cy: y, r: 4.5, class: `dot ${flow.state} form-${flow.form ?? "unknown"}` }),
      svg("text", { x: left - 4, y: y + (narrow ? -2 : 4.5), "text-anchor": "end", class: "who" }, flow.label ?? title(flow.body)),
      narrow
        ? svg("text", { x: left - 4, y: y + 12, "text-anchor": "end", class: "amount" }, what)
        : svg("text", { x: 4, y: y + 4.5, class: "amount" }, what));
  });
  const box = narrow ? 68 : 140;
  return svg("svg", {
    class: "flows", role: "img", "aria-label": summary, viewBox: `0 0 ${width} ${height}`, width, height, "data-bodies": flows.length,
  },
  ...lines,
  svg("rect", { x: right, y: middle - tall / 2, width: box, height: tall, rx: 6, class: "asker" }),
  svg("text", { x: right + box / 2, y: middle - 3, "text-anchor": "middle", class: "asker-name" }, asker.toUpperCase()),
  svg("text", { x: right + box / 2, y: middle + 16, "text-anchor": "middle", class: "asker-note" }, narrow ? "asks" : "joins and asks"));
}

/** What the colours mean. */
export function legend(flows) {
  const forms = [...new Set(flows.map((flow) => flow.form).filter((form) => form && form !== "unknown"))];
  const told = { open: "open rows", rows: "rows under an agreement", statistics: "statistics, no single record", none: "nothing" };
  if (forms.length === 0) return null;
  return el("ul", { class: "legend" }, forms.map((form) => el("li", {}, el("span", { class: `swatch form-${form}` }), told[form] ?? FORMS[form])));
}

/** What a state is called. */
export const word = (state) => WORDS[state] ?? state;
