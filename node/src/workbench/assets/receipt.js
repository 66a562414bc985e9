// The receipt, drawn as what left whom, with the signed records in a table beside it.

import { el, replace, count, size } from "./dom.js";
import { legend, picture, title } from "./flows.js";

const ORDER = ["none", "open", "statistics", "rows"];

/** The form that tells most of those in which a record left. */
const widest = (datasets) => datasets.map((used) => used.form).sort((a, b) => ORDER.indexOf(b) - ORDER.indexOf(a))[0];

/** Each notice once, with the bodies that gave it. */
export function notes(receipt) {
  const found = new Map();
  for (const release of receipt.releases ?? []) {
    for (const notice of release.notices ?? []) {
      const own = `${release.body}.`;
      const text = notice.replaceAll(new RegExp(`\\b[a-z_]+\\.${own.replace(".", "\\.")}`, "g"), "");
      found.set(text, [...(found.get(text) ?? []), release.body]);
    }
  }
  return [...found].map(([text, bodies]) => {
    const who = bodies.length > 4 ? `${bodies.slice(0, 3).map(title).join(", ")} and ${bodies.length - 3} more` : bodies.map(title).join(", ");
    return `Note from ${who}: ${text}`;
  });
}

function whole(text) {
  const blob = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], { type: "application/octet-stream" });
  return URL.createObjectURL(blob);
}

/** Downloads what an address of this page's own holds. */
export function keep(address, name) {
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Shows a receipt. */
export function show(host, receipt, asker) {
  if (!receipt) return replace(host, el("p", { class: "empty" }, "There is no receipt yet: it comes behind an answer."));
  const own = receipt.releases.find((release) => release.own);
  const others = receipt.releases.filter((release) => !release.own);
  const flows = others.map((release) => release.body
    ? { body: release.body, state: release.broken ? "broken" : "done", form: widest(release.datasets), rows: release.rows, bytes: release.bytes }
    : { body: "?", state: "broken", form: "unknown" });
  const rows = others.reduce((sum, release) => sum + (release.rows ?? 0), 0);
  const bytes = others.reduce((sum, release) => sum + (release.bytes ?? 0), 0);
  const told = others.length === 0
    ? "Nothing left another body: it was answered at this node alone."
    : `${count(others.length, "release")} of other bodies: ${count(rows, "row")} and ${size(bytes)} left them, and nothing else.`;
  const width = Math.max(300, Math.min(host.clientWidth || 800, 1000));
  replace(host,
    el("p", { class: receipt.holds ? "lead holds" : "lead broken" }, receipt.holds ? "All signatures hold. " : "Not all signatures hold. ", told),
    others.length > 0 && [el("div", { class: "drawn" }, picture(flows, asker, told, width)), legend(flows)],
    el("details", { class: "records" },
      el("summary", {}, `The ${count(receipt.releases.length, "signed record")}`),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Signed records" }, el("table", {},
        el("thead", {}, el("tr", {}, ["Body", "Form", "Datasets", "Agreement", "Rows", "Bytes", "Log entry", "Signature"].map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, receipt.releases.map((release) => el("tr", {},
          el("th", { scope: "row" }, title(release.body ?? "?"), release.own && " (this node, to you)"),
          el("td", {}, [...new Set((release.datasets ?? []).map((used) => used.form))].join(", ") || "–"),
          el("td", {}, (release.datasets ?? []).map((used) => used.name).join(", ") || "–"),
          el("td", {}, (release.agreements ?? []).join(", ") || "–"),
          el("td", { class: "number" }, release.rows), el("td", { class: "number" }, release.bytes),
          el("td", {}, `${release.log_index} (${(release.log_hash ?? "").slice(0, 8)})`),
          el("td", {}, release.broken ? `does not hold: ${release.broken}` : "holds")))))),
      ),
    el("details", { class: "records" },
      el("summary", {}, "The SQL that each body got"),
      el("dl", { class: "sql" }, others.map((release) => [el("dt", {}, title(release.body ?? "?")), el("dd", {}, el("code", {}, release.sql))]))),
    el("p", { class: "small" }, `Receipt ${receipt.query_id}${own?.purpose ? `, for the purpose ${own.purpose}` : ""}. `,
      el("button", { type: "button", class: "quiet", onclick: () => keep(whole(receipt.file), `receipt-${receipt.query_id}.bin`) }, "Keep it as a file"),
      " which meridian receipt verifies anywhere, offline."));
}
