// Before anything runs: who would be asked what, and whether each body would release its part.

import { el, replace, count } from "./dom.js";
import { legend, picture, title, word } from "./flows.js";

const list = (heading, items) => items?.length > 0 && [el("h2", {}, heading), el("ul", {}, items.map((item) => el("li", {}, item)))];

/** Draws an explanation. */
export function explained(host, told, asker) {
  const flows = told.asked.flatMap((remote) => remote.queries.map((query) => ({
    body: query.body, state: "would", form: remote.form, rows: Math.max(1, Math.round(remote.leaves.rows / remote.queries.length)), estimate: true,
  })));
  const bodies = new Set(flows.map((flow) => flow.body)).size;
  const summary = flows.length === 0
    ? "Answered at this node alone: nothing would leave another body."
    : `${count(flows.length, "query", "queries")} would go to ${count(bodies, "body", "bodies")}, all at once; the rest is done at this node. Nothing has run, and nothing has left.`;
  const width = Math.max(300, Math.min(host.clientWidth || 800, 1000));
  replace(host,
    el("p", { class: "lead" }, summary),
    flows.length > 0 && [el("div", { class: "drawn" }, picture(flows, asker, summary, width)), legend(flows)],
    told.asked.map((remote) => el("details", { class: "records" },
      el("summary", {}, `${remote.queries.slice(0, 3).map((query) => title(query.body)).join(", ")}${remote.queries.length > 3 ? ` and ${remote.queries.length - 3} more` : ""}: ${remote.leaves.columns.join(", ")}`),
      el("dl", { class: "facts" },
        el("dt", {}, "What leaves"), el("dd", {}, `${remote.leaves.columns.join(", ")}, about ${count(remote.leaves.rows, "row")}, as ${remote.form}`),
        el("dt", {}, "Over"), el("dd", {}, remote.datasets.join(", ")),
        remote.keys_of?.length > 0 && [el("dt", {}, "Keys sent along"), el("dd", {}, `of ${remote.keys_of.join(", ")}, which are open`)],
        el("dt", {}, remote.queries.length > 1 ? "SQL, each over its own dataset" : "SQL"), el("dd", {}, el("code", {}, remote.queries[0].sql))))),
    list("Of this body", told.here.map((own) => `${own.dataset} (${own.form}): ${own.columns.join(", ")}`)),
    list("To know", told.notices),
    list("Not chosen", told.rejected),
    told.plan?.length > 0 && el("details", { class: "records" }, el("summary", {}, "At this node"),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The plan at this node" }, el("pre", {}, told.plan.join("\n")))));
}

const STATES = { yes: "yes", no: "no", unreachable: "unavailable", undecided: "unknown" };

/** Draws what the bodies decided; `refused` shows the first no as a refusal. */
export function checked(host, told, asker) {
  const flows = told.bodies.filter((verdict) => verdict.body !== asker).map((verdict) => ({
    body: verdict.body, state: STATES[verdict.decision], form: verdict.details.datasets?.map((used) => used.form).find((form) => form !== "none"),
  }));
  const no = told.bodies.filter((verdict) => verdict.decision === "no");
  const silent = told.bodies.filter((verdict) => verdict.decision === "unreachable" || verdict.decision === "undecided");
  const names = (verdicts) => [...new Set(verdicts.map((verdict) => title(verdict.body)))].join(", ");
  const summary = no.length > 0 ? `No: ${names(no)} would not release it.`
    : silent.length > 0 ? `Not known: ${names(silent)} did not decide.`
      : told.bodies.length === 1 ? "Yes: it would be released." : `Yes: each of ${told.bodies.length} bodies would release its part.`;
  const width = Math.max(300, Math.min(host.clientWidth || 800, 1000));
  replace(host,
    el("p", { class: `lead ${no.length > 0 ? "broken" : silent.length > 0 ? "" : "holds"}` }, `${summary} Nothing has run, and nothing has left.`),
    flows.length > 0 && [el("div", { class: "drawn" }, picture(flows, asker, summary, width)), legend(flows)],
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Decisions" }, el("table", {},
      el("thead", {}, el("tr", {}, ["Body", "Decision", "What would leave, or why not", "Agreement", "Rules"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, told.bodies.map((verdict) => el("tr", { class: verdict.decision },
        el("th", { scope: "row" }, title(verdict.body)), el("td", {}, word(STATES[verdict.decision])),
        el("td", {}, verdict.decision === "yes" ? verdict.details.leaves.join(", ") : [verdict.details.reason ?? verdict.details.why, verdict.details.remedy].filter(Boolean).join(" – ")),
        el("td", {}, (verdict.details.agreements ?? []).join(", ") || "–"), el("td", {}, [verdict.details.rules ?? verdict.details.rule ?? []].flat().join(", ") || "–")))))));
}
