// An answer in other formats: the node writes them from the bytes that this browser sends back, so that nothing is asked twice.

import { el, replace, announce, size } from "./dom.js";
import { convert } from "./ask.js";
import { keep } from "./receipt.js";

const TITLES = {
  csv: "CSV", json: "JSON", jsonl: "JSON lines", markdown: "Markdown", parquet: "Parquet", arrow: "Arrow", "arrow-file": "Arrow file", geojson: "GeoJSON",
};

/** The menu in an element; `failed` is told why one could not be written. */
export function downloads(host, formats, most, current, failed) {
  const menu = el("div", { class: "menu" });
  const details = el("details", { class: "drop" }, el("summary", {}, "Download"), menu);
  replace(menu, formats.map(({ name, ending }) => el("button", {
    type: "button",
    onclick: async () => {
      details.open = false;
      details.querySelector("summary").focus();
      const answer = current();
      if (!answer?.whole) return;
      if (answer.bytes > most) {
        failed({ kind: "limit", message: `the answer has ${size(answer.bytes)}, and the node writes ${size(most)} at most: meridian query --format writes it without a limit` });
        return;
      }
      announce(`${TITLES[name] ?? name} is being written`);
      try {
        const blob = await convert(name, answer.chunks, answer.hasStatistics);
        keep(URL.createObjectURL(blob), `answer.${ending}`);
      } catch (problem) {
        failed(problem.told ?? { kind: "connection", message: "the answer could not be written to its end" });
      }
    },
    title: name === "csv" ? "An apostrophe stands before a text that a spreadsheet would take for a formula" : undefined,
  }, TITLES[name] ?? name)));
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    details.open = false;
    details.querySelector("summary").focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!details.contains(event.target)) details.open = false;
  });
  replace(host, details);
}
