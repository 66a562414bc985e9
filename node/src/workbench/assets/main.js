// The workbench: one page, one question at a time.

import { el, at, replace, announce, count, size } from "./dom.js";
import { Problem, post, run } from "./ask.js";
import { Answer } from "./answer.js";
import { Chart } from "./chart.js";
import { Editor } from "./editor.js";
import { Names } from "./completion.js";
import { Plan, codes, outlinesOf } from "./map.js";
import { Table } from "./table.js";
import { tabs } from "./tabs.js";
import { title as named, word } from "./flows.js";
import * as before from "./before.js";
import * as datasets from "./datasets.js";
import * as first from "./first.js";
import * as past from "./history.js";
import * as receipts from "./receipt.js";
import * as refusal from "./refusal.js";
import * as saved from "./saved.js";
import { downloads } from "./downloads.js";

const FIRST = "-- Ctrl+Space completes the name of a dataset or a column.\nSELECT ";
const UNKNOWN = "A cell without a value is unknown, never 0: withheld under a threshold, or not there.";
const OVER = new Set(["done", "unavailable", "refused", "limit", "failed"]);

const names = new Names();
const page = { session: null, answer: null, asking: null, open: null };

const editor = new Editor(at("editor"), {
  complete: names.complete,
  ask: () => ask(),
  explain: () => explain(),
  changed: () => document.body.classList.add("changed"),
});
const table = new Table(at("table"));
const chart = new Chart(at("chart"));
const plan = new Plan(at("map"));

/** What is drawn in which tab is drawn when it is seen. */
const stale = new Set();
const views = {
  table: () => { table.answer = page.answer; },
  chart: () => { chart.answer = page.answer; },
  map: () => { plan.answer = page.answer; },
  flows: () => page.flows?.(at("flows")),
};
const views_of = tabs(at("answer-tabs"), (name) => {
  if (stale.delete(name)) views[name]();
  // What stands under an answer says nothing of what would happen.
  at("notes").hidden = page.isAhead === true && name === "flows";
});
tabs(at("shelf-tabs"), (name) => {
  if (name === "saved") listSaved();
  if (name === "history") past.show(at("history"), open);
});

/** Whether the picture is of what would be, and not of what was. */
function ahead(is) {
  page.isAhead = is;
  at("tab-flows").textContent = is ? "What would leave" : "What left whom";
}

function redraw(...which) {
  for (const name of which) stale.add(name);
  const current = views_of.current;
  if (stale.delete(current)) views[current]();
}

const question = () => ({ sql: editor.text, purpose: at("purpose").value.trim(), partial: at("partial").checked });

function asker() { return page.session?.body ?? "you"; }

/** While something is under way, it can be cancelled, and nothing else be asked. */
function busy(controller) {
  page.asking = controller;
  const on = controller !== null;
  at("cancel").hidden = !on;
  for (const id of ["run", "check", "explain"]) at(id).disabled = on;
  if (!on && document.activeElement === document.body) at("run").focus();
}

function begin(text) {
  editor.clear();
  replace(at("problem"));
  at("status").className = "status busy";
  at("status").textContent = text;
  document.body.classList.remove("changed");
  at("first").hidden = true;
}

function fail(told, sql) {
  at("status").className = "status";
  at("status").textContent = "";
  const where = refusal.show(at("problem"), told, sql, apply);
  if (where) editor.mark(where, told.refusal?.reason || told.message);
  at("problem-title").focus();
}

/** Does what a remedy says, and leaves the rest to the analyst. */
function apply(offer) {
  if (offer.purpose !== undefined) {
    at("purpose").value = offer.purpose;
    at("purpose").focus();
  } else if (offer.partial) {
    at("partial").checked = true;
    at("run").focus();
  } else if (offer.sql !== undefined) {
    editor.text = offer.sql;
    editor.focus();
  } else {
    editor.change(offer.place, offer.text);
  }
  replace(at("problem"));
  announce("the remedy stands in the question: ask again");
}

const problem_of = (error) => (error instanceof Problem ? error.told : { kind: "fault", message: `this page met a fault: ${error.message}` });

/** Shows the bodies while they answer. */
class Live {
  #parts = [];
  #leftOut = [];

  take({ parts, again, left_out: leftOut }) {
    if (again) this.#parts = [];
    for (const part of parts) this.#parts[part.part] = part;
    this.#leftOut = leftOut;
    this.draw();
  }

  /** One for each body: the part that is furthest behind. */
  get bodies() {
    const found = new Map();
    for (const part of this.#parts.filter(Boolean)) {
      const known = found.get(part.body);
      if (!known) found.set(part.body, { ...part });
      else {
        known.rows += part.rows;
        known.bytes = known.bytes === null || part.bytes === null ? null : known.bytes + part.bytes;
        if (OVER.has(known.state) && known.state === "done") known.state = part.state;
      }
    }
    for (const body of this.#leftOut) found.set(body, { body, state: "left", rows: 0, bytes: null });
    return [...found.values()];
  }

  get counted() {
    const all = this.bodies;
    return { all: all.length, done: all.filter((one) => one.state === "done").length };
  }

  draw() {
    const all = this.bodies;
    at("live").hidden = all.length === 0;
    replace(at("live"), all.map((one) => el("li", { class: one.state, title: `${named(one.body)}: ${word(one.state)}` },
      el("span", { class: "dot", "aria-hidden": "true" }), named(one.body),
      el("span", { class: "state" }, one.state === "done" ? `${one.rows.toLocaleString("en-GB")}${one.bytes ? ` · ${size(one.bytes)}` : ""}` : word(one.state)))));
  }
}

/** Asks the question in earnest. */
async function ask() {
  if (page.asking) return;
  const asked = question();
  const controller = new AbortController();
  busy(controller);
  begin("Asking …");
  at("live").hidden = true;
  const live = new Live();
  const began = performance.now();
  const answer = new Answer(() => grown());
  let scheduled = false;
  const grown = () => {
    if (scheduled || page.answer !== answer) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      if (answer.fields.length > 0 && !answer.whole && page.answer === answer) {
        at("outcome").hidden = false;
        if (views_of.current === "table") table.grown(); else stale.add("table");
      }
    });
  };
  page.answer = answer;
  page.flows = null;
  at("outcome").hidden = true;
  replace(at("notes"));
  table.answer = answer;
  const told = () => {
    const { all, done } = live.counted;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const bodies = all > 0 ? ` ${done} of ${count(all, "body", "bodies")} ${done === 1 ? "has" : "have"} answered.` : "";
    at("status").textContent = `Asking … ${seconds} s.${bodies}${answer.rows > 0 ? ` ${count(answer.rows, "row")} so far.` : ""}`;
  };
  const clock = setInterval(told, 200);
  let ended = null;
  let failure = null;
  try {
    await run(asked, {
      signal: controller.signal,
      arrow: (piece) => answer.take(piece),
      event: (event) => {
        if (event.event === "bodies") live.take(event);
        else if (event.event === "receipt") answer.receipt = event.receipt;
        else if (event.event === "done") ended = event;
        else if (event.event === "failed") failure = event.error;
      },
    });
    if (!ended && !failure) failure = { kind: "connection", message: "the answer was cut off on its way: ask again" };
    if (ended) await answer.end();
  } catch (error) {
    failure = controller.signal.aborted ? { kind: "cancelled", message: "You cancelled it. What each body had released until then stands in its log, as interrupted." } : problem_of(error);
  } finally {
    clearInterval(clock);
    busy(null);
  }
  live.draw();
  if (failure) {
    page.answer = null;
    at("outcome").hidden = true;
    table.answer = null;
    return fail(failure, asked.sql);
  }
  answer.whole = true;
  past.remember(asked);
  try {
    finish(answer, ended, live);
  } catch (error) {
    // The answer is there, and can be downloaded, if this page can't draw it.
    fail(problem_of(error), asked.sql);
  }
}

function finish(answer, ended, live) {
  const { all } = live.counted;
  const bodies = all > 0 ? ` from ${count(all, "other body", "other bodies")}` : "";
  at("status").className = "status good";
  at("status").textContent = `${count(answer.rows, "row")}${bodies} in ${ended.ms.toLocaleString("en-GB")} ms.`;
  at("live").hidden = true;
  const told = receipts.notes(answer.receipt);
  if (answer.hasNull && answer.hasStatistics) told.unshift(UNKNOWN);
  replace(at("notes"), told.map((text) => el("li", {}, text)));
  page.flows = (host) => receipts.show(host, answer.receipt, asker());
  ahead(false);
  at("notes").hidden = false;
  at("outcome").hidden = false;
  for (const name of ["table", "chart", "map"]) at(`tab-${name}`).disabled = false;
  at("downloads").hidden = false;
  plan.shapes = shapes_for(answer);
  if (page.before) views_of.show(page.before);
  page.before = null;
  redraw("table", "chart", "map", "flows");
}

/** Where an open dataset has the boroughs' outlines, they can be fetched by a question like any other. */
function shapes_for(answer) {
  if (codes(answer) < 0) return null;
  for (const dataset of names.datasets) {
    const code = dataset.columns.find((column) => column.concept === "gss:borough");
    const shape = dataset.columns.find((column) => column.type === "bytea" && /geo|shape|boundary/i.test(column.name));
    if (dataset.form !== "open" || !code || !shape) continue;
    return {
      label: `Draw the outlines of ${dataset.name}`,
      fetch: async () => {
        const found = new Answer(() => {});
        let failure = null;
        try {
          await run({ sql: `SELECT ${code.name}, ${shape.name} FROM ${dataset.name}` }, {
            arrow: (piece) => found.take(piece), event: (event) => { if (event.event === "failed") failure = event.error; },
          });
          if (!failure) await found.end();
        } catch (error) { failure = problem_of(error); }
        if (failure) { fail(failure, ""); return null; }
        return outlinesOf(found);
      },
    };
  }
  return null;
}

/** What would happen, in the place of what has happened. */
async function look(path, doing, draw) {
  if (page.asking) return;
  const asked = question();
  const controller = new AbortController();
  busy(controller);
  begin(doing);
  try {
    const told = await post(path, asked, controller.signal);
    at("status").className = "status good";
    at("status").textContent = "Nothing has run, and nothing has left.";
    page.flows = (host) => draw(host, told, asker());
    at("live").hidden = true;
    at("outcome").hidden = false;
    const whole = page.answer?.whole === true;
    for (const name of ["table", "chart", "map"]) at(`tab-${name}`).disabled = !whole;
    at("downloads").hidden = !whole;
    if (!whole) replace(at("notes"));
    ahead(true);
    if (views_of.current !== "flows") page.before = views_of.current;
    stale.add("flows");
    views_of.show("flows");
    return told;
  } catch (error) {
    const aborted = controller.signal.aborted;
    fail(aborted ? { kind: "cancelled", message: "You cancelled it." } : problem_of(error), asked.sql);
    return null;
  } finally {
    busy(null);
  }
}

const explain = () => look("/api/explain", "Looking at what would be asked …", before.explained);

async function check() {
  const sql = editor.text;
  const told = await look("/api/check", "Asking each body whether it would release its part …", before.checked);
  const no = told?.bodies.find((verdict) => verdict.decision === "no");
  if (no) {
    const where = refusal.show(at("problem"), { kind: "refused", message: no.details.reason, refusal: no.details, query_id: told.query_id }, sql, apply);
    if (where) editor.mark(where, no.details.reason);
  }
}

/** Opens a question that was asked or saved. */
function open({ sql, purpose, id = null, title = null, owner = null }) {
  editor.text = sql;
  at("purpose").value = purpose ?? "";
  page.open = id && { id, title, owner };
  at("title").textContent = title ?? "A new question";
  document.title = `${title ?? "Workbench"} – Meridian`;
  history.replaceState(null, "", id ? saved.address(id) : "/");
  replace(at("problem"));
  if (matchMedia("(max-width: 60rem)").matches) at("shelf").open = false;
  editor.focus();
}

async function openSaved(id) {
  try {
    open(await post("/api/saved/read", { id }));
  } catch (error) {
    fail(problem_of(error), "");
  }
}

const listSaved = () => {
  const failed = (error) => fail(problem_of(error), "");
  return saved.show(at("saved"), page.session?.analyst, openSaved, failed).catch(failed);
};

at("save").addEventListener("click", () => {
  const own = page.open?.owner === page.session?.analyst ? page.open : null;
  at("saving-name").value = page.open?.title ?? "";
  at("saving-over").hidden = !own;
  at("saving-replace").checked = Boolean(own);
  at("saving").showModal();
});
at("saving").addEventListener("close", async () => {
  if (at("saving").returnValue !== "save") return;
  const title = at("saving-name").value.trim();
  const { sql, purpose } = question();
  try {
    const over = at("saving-replace").checked && !at("saving-over").hidden ? page.open.id : undefined;
    const { id } = await post("/api/saved/save", { title, sql, purpose, id: over });
    page.open = { id, title, owner: page.session.analyst };
    at("title").textContent = title;
    document.title = `${title} – Meridian`;
    history.replaceState(null, "", saved.address(id));
    at("status").className = "status good";
    replace(at("status"), "Saved at ", el("a", { href: saved.address(id) }, `${location.origin}${saved.address(id)}`));
    await listSaved();
  } catch (error) {
    fail(problem_of(error), sql);
  }
});

at("run").addEventListener("click", ask);
at("explain").addEventListener("click", explain);
at("check").addEventListener("click", check);
at("cancel").addEventListener("click", () => page.asking?.abort());

async function begin_page() {
  if (matchMedia("(max-width: 60rem)").matches) at("shelf").open = false;
  try {
    const [session, listed] = await Promise.all([post("/api/session"), post("/api/names")]);
    page.session = session;
    at("body-title").textContent = session.title;
    at("analyst").textContent = session.analyst;
    if (session.portal && /^https?:\/\//.test(session.portal)) {
      at("portal").href = session.portal;
      at("portal").hidden = false;
    }
    names.set(listed.datasets, session.federation);
    datasets.show(at("datasets"), at("find"), names.datasets, (text) => editor.insert(text));
    downloads(at("downloads"), session.formats, session.download_bytes, () => page.answer, (told) => fail(told, editor.text));
    first.show(at("first"), names.datasets, (sql) => {
      editor.text = sql;
      editor.focus();
    });
    const purposes = new Set([past.last()?.purpose].filter(Boolean));
    replace(at("purposes"), [...purposes].map((value) => el("option", { value })));
    const id = saved.here();
    if (id) await openSaved(id);
    else {
      editor.text = past.last()?.sql ?? FIRST;
      at("purpose").value = past.last()?.purpose ?? "";
    }
    document.body.classList.add("ready");
  } catch (error) {
    fail(problem_of(error), "");
  }
}

begin_page();
