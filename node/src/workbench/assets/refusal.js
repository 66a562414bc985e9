// Why there is no answer: the rule, the place in the analyst's own SQL, and what would work, which can be put in at a press.

import { el, replace } from "./dom.js";

const TITLES = {
  refused: "Refused", sql: "The SQL can't be answered as it stands", body: "A body did not answer", limit: "A limit stopped it",
  cancelled: "Cancelled", fault: "A fault", connection: "The node can't be reached", request: "Not done",
};

/** What can be put in: words for a button, and what it does to the page. */
function remedies(told, sql) {
  const { refusal, message } = told;
  if (!refusal?.remedy) return unrefused(told, message ?? "");
  const { rule, remedy, dataset } = refusal;
  const place = refusal.line && { line: refusal.line, column: refusal.column_number };
  const found = [];
  const purposes = /(?:state one that is agreed|agreed with [\w.]+): ([\w, .-]+)$/.exec(remedy);
  if (purposes) for (const purpose of purposes[1].split(", ")) found.push({ label: `State the purpose ${purpose}`, purpose });
  const distinct = /\(?(COUNT\(DISTINCT [\w.]+\))\)?/.exec(remedy);
  if (distinct && place && rule === "statistics.column") found.push({ label: `Put ${distinct[1]} there`, place, text: distinct[1] });
  if (/^sum or average it/.test(remedy) && place && refusal.column) {
    for (const what of ["SUM", "AVG"]) found.push({ label: `Put ${what}(${refusal.column}) there`, place, text: `${what}(${refusal.column})` });
  }
  const grouped = /by (?:its )?dimensions \(?([\w, ]+)/.exec(remedy);
  if (rule === "statistics.shape" && grouped && dataset) {
    const dimensions = grouped[1].split(", ");
    // A dimension that the question names is what its author is after; boroughs are drawn on a map.
    const meant = dimensions.find((name) => new RegExp(`\\b${name}\\b`, "i").test(sql)) ?? dimensions.find((name) => /^borough/.test(name)) ?? dimensions[0];
    found.push({ label: `Count by ${meant} instead`, sql: `SELECT ${meant}, COUNT(*) AS n\nFROM ${dataset}\nGROUP BY ${meant}\nORDER BY n DESC` });
  }
  return found;
}

/** The same where no gate has refused it. */
function unrefused({ line, column }, message) {
  if (/ask for a partial answer/.test(message)) return [{ label: "Do without bodies that do not answer", partial: true }];
  const meant = /did you mean ['"`]?([a-z_][\w.]*)/i.exec(message);
  const name = meant?.[1].split(".").at(-1);
  return name && line ? [{ label: `Put ${name} there`, place: { line, column }, text: name }] : [];
}

/** Shows a problem; `apply` does what a remedy's button says. */
export function show(place, told, sql, apply) {
  const { refusal } = told;
  const where = refusal?.line ? { line: refusal.line, column: refusal.column_number } : told.line ? { line: told.line, column: told.column } : null;
  // Another body may have said where: a place that is none in the question is not shown.
  const line = where && sql.split("\n")[where.line - 1];
  const quoted = where?.column >= 1 && where.column <= (line?.length ?? -1) + 1 ? line : undefined;
  const offered = remedies(told, sql);
  replace(place, el("section", { class: `problem ${told.kind}`, "aria-labelledby": "problem-title" },
    el("h2", { id: "problem-title", tabindex: "-1" }, TITLES[told.kind] ?? "Not answered"),
    el("p", { class: "why" }, refusal?.reason || told.message),
    refusal?.remedy && el("p", { class: "instead" }, el("strong", {}, "What would work: "), refusal.remedy),
    offered.length > 0 && el("p", { class: "offers" }, offered.map((offer) => el("button", { type: "button", class: "offer", onclick: () => apply(offer) }, offer.label))),
    quoted !== undefined && el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The place in the SQL" }, el("pre", { class: "place" },
      `${String(where.line).padStart(3)}  ${quoted}\n${" ".repeat(5 + where.column - 1)}^`)),
    el("dl", { class: "facts" },
      [["Rule", refusal?.rule], ["Dataset", refusal?.dataset], ["Column", refusal?.column], ["Place", where && `line ${where.line}, column ${where.column}`],
        ["Query", told.query_id]]
        .filter(([, value]) => value).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))));
  return where;
}
