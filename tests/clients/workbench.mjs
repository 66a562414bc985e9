// An analyst at the workbench: a real browser with their certificate, and axe. Arguments: what to do, the workbench's address, the
// certificate and its key, and what that takes.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";
import { MOST_BYTES, weighed } from "./weight.mjs";

const require = createRequire(path.join(process.env.MERIDIAN_TEST_BROWSER, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const PICTURES = process.env.MERIDIAN_TEST_PICTURES;
const [task, origin, certPath, keyPath, ...rest] = process.argv.slice(2);
const wrong = [];
const is = (good, what) => { if (!good) wrong.push(what); };

const browser = await chromium.launch({
  executablePath: process.env.MERIDIAN_TEST_CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

async function open(size, colorScheme = "light", address = "/") {
  const context = await browser.newContext({
    viewport: SIZES[size], colorScheme, ignoreHTTPSErrors: true, acceptDownloads: true, clientCertificates: [{ origin, certPath, keyPath }],
  });
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith(`blob:${origin}/`)) wrong.push(`a request goes to ${request.url()}`);
  });
  page.on("console", (message) => {
    // What is refused is told so, and the browser notes the status.
    if (message.type() === "error" && !message.text().includes("status of 4")) wrong.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`the page fails: ${error.stack}`));
  page.on("dialog", () => wrong.push("a dialog opens"));
  const weigh = await weighed(page);
  await page.goto(origin + address);
  await page.waitForSelector("body.ready");
  const bytes = await weigh();
  is(bytes > 0 && bytes < MOST_BYTES, `the page weighs ${bytes} bytes`);
  return page;
}

/** Zero violations of axe, and nothing wider than the screen. */
async function look(page, state, size) {
  const at = `${state} (${size})`;
  await page.evaluate(axe);
  const result = await page.evaluate((tags) => window.axe.run({ runOnly: tags, preload: false, resultTypes: ["violations"] }), TAGS);
  is(result.passes.length > 0, `${at}: axe looked at nothing`);
  for (const violation of result.violations) {
    const nodes = violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ");
    wrong.push(`${at}: ${violation.id} (${violation.help}): ${nodes}`);
  }
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
  is(wide <= 0, `${at}: ${wide} pixels wider than the screen`);
  if (PICTURES) {
    await page.screenshot({ path: path.join(PICTURES, `workbench-${state}-${size}.png`), fullPage: true });
    await page.emulateMedia({ colorScheme: "dark" });
    await page.screenshot({ path: path.join(PICTURES, `workbench-${state}-${size}-dark.png`), fullPage: true });
    await page.emulateMedia({ colorScheme: "light" });
  }
}

async function write(page, sql) {
  await page.locator("#editor .cm-content").click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(sql);
  await page.keyboard.press("Escape");
}

/** Presses a button and waits until nothing is under way. */
async function press(page, button) {
  await page.locator(button).click();
  await page.waitForFunction(() => document.getElementById("cancel").hidden);
}

const text = (page, selector) => page.locator(selector).first().textContent();

/** The whole way: refused, remedied, answered; table, chart, map, what left whom; kept, saved, opened again. */
async function way([portal, sql, csv, bodies]) {
  for (const size of Object.keys(SIZES)) {
    const reader = await (await browser.newContext({ viewport: SIZES[size] })).newPage();
    reader.setDefaultTimeout(120_000);
    await reader.goto(`${portal}?q=fires`);
    await reader.locator("main ul.cards a").first().click();
    is((await reader.locator("h1").textContent()).length > 0, "the portal finds nothing");
    await reader.context().close();

    const page = await open(size);
    is((await page.locator("#portal").getAttribute("href")) === portal, "the workbench does not lead to the portal");
    await look(page, "start", size);

    await write(page, sql);
    await page.fill("#purpose", "");
    await press(page, "#run");
    is((await text(page, "#problem-title")) === "Refused", "without a purpose it is not refused");
    is((await page.locator("#problem .facts").textContent()).includes("purpose.stated"), "no rule is told");
    await look(page, "refused", size);
    await page.locator("#problem .offer").first().click();
    is((await page.inputValue("#purpose")) === "fire-risk", "the remedy does not state the purpose");

    await press(page, "#check");
    is((await text(page, "#flows .lead")).startsWith("Yes"), `check says ${await text(page, "#flows .lead")}`);
    await look(page, "check", size);
    await press(page, "#explain");
    is((await page.locator("#flows svg.flows").count()) === 1, "the explanation is not drawn");
    await look(page, "explain", size);

    await press(page, "#run");
    const rows = csv.trim().split("\n").slice(1).map((line) => line.split(","));
    await page.waitForSelector(`#table [role=grid][aria-rowcount="${rows.length + 1}"]`);
    is((await text(page, "#status")).startsWith(`${rows.length} rows from ${bodies} other bodies`), `the status is ${await text(page, "#status")}`);
    for (const [at, row] of rows.slice(0, 3).entries()) {
      is((await text(page, `#cell-${at}-1`)) === row[1], `row ${at} of the table is ${await text(page, `#cell-${at}-1`)} and not ${row[1]}`);
    }
    is((await page.locator("#notes li").count()) > 0, "no notes stand under the answer");
    await look(page, "table", size);

    await page.locator("#tab-chart").click();
    is((await page.locator("#chart .bar").count()) === rows.length, "the chart has other bars");
    await look(page, "chart", size);
    await page.locator("#tab-map").click();
    for (const [gss, name] of rows) {
      const label = await page.locator(`#map [data-gss=${gss}]`).getAttribute("aria-label");
      is(label?.startsWith(`${name}: `), `the map says ${label} of ${name}`);
    }
    is((await page.locator("#map .tile.absent").count()) === 33 - rows.length, "boroughs that are not in the answer are not told apart");
    await look(page, "map", size);
    await page.locator("#map button.quiet").click();
    await page.waitForSelector("#map svg.outlines");
    is((await page.locator("#map svg.outlines path").count()) === rows.length, "not every borough has its outline");
    await page.locator("#map svg.outlines path").first().press("ArrowRight");
    await look(page, "outlines", size);
    await page.locator("#tab-flows").click();
    is((await page.locator("#flows svg.flows").getAttribute("data-bodies")) === bodies, "the receipt shows other bodies");
    is((await text(page, "#flows .lead")).startsWith("All signatures hold"), `the receipt says ${await text(page, "#flows .lead")}`);
    await page.locator("#flows summary").first().click();
    await look(page, "receipt", size);

    await page.locator("#downloads summary").click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#downloads button:text-is('CSV')").click()]);
    is(readFileSync(await download.path(), "utf8") === csv, `the download differs from what meridian query gives: ${readFileSync(await download.path(), "utf8")}`);

    await page.locator("#save").click();
    await page.fill("#saving-name", `Fire risk (${size})`);
    await look(page, "saving", size);
    await page.locator("#saving button.main").click();
    const address = await page.locator("#status a").getAttribute("href");
    is(/^\/q\/[0-9a-f]{16}$/.test(address), `the saved question is at ${address}`);

    const again = await open(size, "dark", address);
    is((await text(again, "h1")) === `Fire risk (${size})`, "the saved question has another title");
    await again.waitForFunction(() => document.getElementById("purpose").value === "fire-risk");
    if (size === "phone") await again.locator("#shelf > summary").click();
    await again.locator("#tab-saved").click();
    await again.waitForSelector("#saved a");
    await look(again, "saved", size);
    await again.locator("#tab-datasets").click();
    await again.fill("#find", "lfb incidents");
    await look(again, "datasets", size);
    await press(again, "#run");
    await again.waitForSelector(`#table [role=grid][aria-rowcount="${rows.length + 1}"]`);
    await look(again, "dark", size);

    await write(again, "SELECT * FROM lfb.incidents");
    await press(again, "#run");
    await again.locator("#problem .offer").first().click();
    await press(again, "#run");
    is((await text(again, "#status")).includes(" rows from 1 other body"), `the remedy is answered with ${await text(again, "#status")}`);
    await again.context().close();
    await page.context().close();
  }
}

/** By keyboard alone, from the address to a figure of the map. */
async function keyboard([sql, gss]) {
  const page = await open("desktop");
  const focus = () => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute("role") || document.activeElement.tagName);
  await page.keyboard.press("Tab");
  is((await page.evaluate(() => document.activeElement.className)) === "skip", "the first thing reached is no skip link");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  is((await focus()) === "editor", `behind the skip link is ${await focus()}`);
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(sql);
  // The list of completions takes the first, if it is there.
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  is((await focus()) === "purpose", `Esc and Tab lead from the editor to ${await focus()}`);
  await page.keyboard.type("fire-risk");
  for (const expected of ["partial", "run"]) {
    await page.keyboard.press("Tab");
    is((await focus()) === expected, `then comes ${await focus()} and not ${expected}`);
  }
  const ring = await page.evaluate(() => parseFloat(getComputedStyle(document.activeElement).outlineWidth));
  is(ring >= 2, "focus can't be seen");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#status.good");
  const until = async (id) => {
    for (let n = 0; n < 40 && (await focus()) !== id; n += 1) await page.keyboard.press("Tab");
    is((await focus()) === id, `${id} can't be reached`);
  };
  await until("tab-table");
  await until("grid");
  await page.keyboard.press("Control+End");
  const active = () => page.evaluate(() => document.activeElement.getAttribute("aria-activedescendant"));
  const last = await active();
  await page.keyboard.press("Control+Home");
  is((await active()) === "cell-0-0" && last !== "cell-0-0", `keys move in the table from ${last} to ${await active()}`);
  await page.keyboard.press("ArrowDown");
  is((await active()) === "cell-1-0", `an arrow leads to ${await active()}`);
  await page.evaluate(() => document.getElementById("tab-table").focus());
  for (const tab of ["tab-chart", "tab-map"]) {
    await page.keyboard.press("ArrowRight");
    is((await focus()) === tab, `an arrow leads to ${await focus()} and not ${tab}`);
  }
  const place = () => page.evaluate(() => document.activeElement.dataset.gss);
  for (let n = 0; n < 8 && !(await place()); n += 1) await page.keyboard.press("Tab");
  for (const key of ["ArrowDown", "ArrowDown", "ArrowLeft"]) await page.keyboard.press(key);
  is((await place()) === gss, `arrows lead on the map to ${await place()}`);
  is((await text(page, "#map .picked")).includes("Camden"), `the map tells ${await text(page, "#map .picked")}`);
}

/** While a body does not answer: it is shown, and the question can be cancelled. */
async function cancel([sql, body]) {
  const page = await open("phone");
  await write(page, sql);
  await page.fill("#purpose", "fire-risk");
  await page.locator("#run").click();
  await page.waitForFunction((name) => [...document.querySelectorAll("#live li")].some((one) => one.className === "asked" && one.textContent.startsWith(name)), body);
  await look(page, "live", "phone");
  await page.locator("#cancel").click();
  await page.waitForSelector("#problem-title");
  is((await text(page, "#problem-title")) === "Cancelled", "it is not cancelled");
  await look(page, "cancelled", "phone");
}

/** What others wrote is text: in values, names, titles and errors. */
async function markup() {
  const page = await open("desktop");
  const evil = (n) => `<img src=x onerror="window.ran=${n}">`;
  await write(page, `SELECT '${evil(1)}' AS "${evil(2).replaceAll('"', "'")}"`);
  await press(page, "#run");
  is((await text(page, "#cell-0-0")) === evil(1), `a value is shown as ${await text(page, "#cell-0-0")}`);
  for (const tab of ["chart", "map", "flows"]) await page.locator(`#tab-${tab}`).click();
  await page.locator("#save").click();
  await page.fill("#saving-name", evil(3));
  await page.locator("#saving button.main").click();
  await page.waitForSelector("#status a");
  await page.locator("#tab-saved").click();
  await page.waitForSelector("#saved a");
  is((await text(page, "#saved a strong")) === evil(3) && (await text(page, "h1")) === evil(3), "a title is not shown as it is");
  await page.locator("#tab-history").click();
  await write(page, `SELECT 1 FROM "${evil(4).replaceAll('"', "'")}"`);
  await press(page, "#run");
  is((await page.locator("#problem img, #table img, #saved img, #history img, h1 img").count()) === 0, "a text became an element");
  is((await page.evaluate(() => window.ran)) === undefined, "a text ran");
}

/** What others send is shown as far as it can be, and breaks nothing: a refusal that points nowhere, times beyond all calendars, no geometry. */
async function odd() {
  const page = await open("desktop");
  const details = { rule: "made.up", reason: "It says so", remedy: "Ask otherwise", line: 1, column_number: 1e15 };
  const told = { released: false, query_id: "x", bodies: [{ body: "camden", sql: "", decision: "no", details }] };
  await page.route(`${origin}/api/check`, (route) => route.fulfill({ json: told }));
  await write(page, "SELECT 1 AS one");
  await press(page, "#check");
  is((await text(page, "#problem .why")) === details.reason, `a refusal is shown as ${await text(page, "#problem")}`);
  for (const [value, expected] of [
    ["CAST(CAST(200000000 AS INT) AS DATE)", "200000000 days from 1970-01-01"],
    ["TIMESTAMP '2024-02-03 04:05:06.000123'", "2024-02-03 04:05:06.000123"],
    ["CAST('12:34:56' AS TIME)", "12:34:56"],
    [`'${"x".repeat(2_000)}'`, null],
  ]) {
    await write(page, `SELECT ${value} AS odd`);
    await press(page, "#run");
    const cell = await page.locator("#cell-0-0").count() === 1 ? await text(page, "#cell-0-0") : `nothing: ${await text(page, "#problem")}`;
    is(expected === null ? cell.startsWith("xxx") && cell.length < 1000 : cell === expected, `${value.slice(0, 60)} is shown as ${cell.slice(0, 200)} and not ${expected}`);
  }
  await write(page, `SELECT geometry, n FROM (VALUES ('{"type":"Point"}', 1), ('POINT (-0.1 51.5)', 2), ('POINT (-0.2 51.4)', 3)) AS t(geometry, n)`);
  await press(page, "#run");
  await page.locator("#tab-map").click();
  is((await page.locator("#map svg.outlines path").count()) === 2, `the map has ${await page.locator("#map svg.outlines path").count()} places`);
  is(!(await page.locator("#map svg.outlines").innerHTML()).includes("NaN"), "a place is nowhere");
}

/** A million rows: the last can be reached, by key and by scrolling, and few are ever elements. */
async function million() {
  const page = await open("desktop");
  const tens = ["a", "b", "c", "d", "e", "f"];
  await write(page, `WITH d AS (SELECT n FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t(n))
    SELECT ${tens.map((of, at) => `${of}.n * ${10 ** at}`).join(" + ")} AS id, 'row' AS what FROM d AS a${tens.slice(1).map((of) => ` CROSS JOIN d AS ${of}`).join("")} ORDER BY id`);
  await press(page, "#run");
  const grid = page.locator("#table [role=grid]");
  is((await grid.getAttribute("aria-rowcount")) === "1000001", `the status is ${await text(page, "#status")}`);
  const small = async (where) => {
    const elements = await page.evaluate(() => document.querySelectorAll("#table *").length);
    is(elements > 10 && elements < 500, `${where} there are ${elements} elements`);
  };
  /** The row is there with its value, and is seen whole. */
  const seen = async (row) => {
    const cell = page.locator(`#cell-${row}-0`);
    await cell.waitFor();
    is((await cell.textContent()) === String(row), `row ${row} is ${await cell.textContent()}`);
    const [inner, outer] = [await cell.boundingBox(), await grid.boundingBox()];
    is(inner.y >= outer.y && inner.y + inner.height <= outer.y + outer.height, `row ${row} is not seen whole`);
    await small(`at row ${row}`);
  };
  await seen(0);
  await grid.focus();
  for (const [key, row] of [["Control+End", 999_999], ["ArrowUp", 999_998], ["Control+Home", 0], ["ArrowDown", 1]]) {
    await page.keyboard.press(key);
    await seen(row);
  }
  await grid.evaluate((element) => { element.scrollTop = element.scrollHeight; });
  await seen(999_999);
  await grid.evaluate((element) => { element.scrollTop = element.scrollHeight / 2; });
  await page.waitForFunction(() => {
    const rows = [...document.querySelectorAll("#table .layer .row")].map((row) => Number(row.dataset.row));
    return rows.length > 5 && rows.every((row) => Math.abs(row - 500_000) < 200);
  });
  await small("in the middle");
}

/** When the first of the page is seen, in milliseconds, in eleven new contexts behind a first one. For people: no test asks it. */
async function paint() {
  const times = [];
  for (let n = 0; n < 12; n += 1) {
    const page = await open("desktop");
    times.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    await page.context().close();
  }
  const sorted = times.slice(1).sort((a, b) => a - b);
  console.log(`first contentful paint: median ${sorted[5].toFixed(0)} ms, slowest ${sorted[10].toFixed(0)} ms`);
}

/** Another site asks with the certificate that this browser has. */
async function elsewhere([site]) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, clientCertificates: [{ origin, certPath, keyPath }] });
  const page = await context.newPage();
  await page.goto(site);
  const asked = (path, options) => page.evaluate(async ([to, how]) => {
    try {
      const response = await fetch(to, { credentials: "include", ...how });
      return `${response.type} ${response.status}`;
    } catch {
      return "refused";
    }
  }, [origin + path, options]);
  const body = JSON.stringify({ sql: "SELECT gss FROM gla.boroughs" });
  is((await asked("/api/run", { method: "POST", headers: { "content-type": "application/json" }, body })) === "refused", "a question of another site is answered");
  // What needs no leave of the server is sent, and comes to nothing.
  is((await asked("/api/run", { method: "POST", mode: "no-cors", headers: { "content-type": "text/plain" }, body })) !== "basic 200", "a simple request is answered");
  is((await asked("/assets/main.js", { mode: "no-cors" })) === "refused", "another site reads a script");
  await page.evaluate((to) => new Promise((loaded) => {
    const frame = document.createElement("iframe");
    frame.onload = loaded;
    frame.src = to;
    document.body.append(frame);
  }), `${origin}/`);
  const framed = page.frames().filter((frame) => frame.url().startsWith(origin));
  for (const frame of framed) is((await frame.locator("#run").count().catch(() => 0)) === 0, "another site frames the workbench");
}

await { way, keyboard, cancel, markup, odd, million, paint, elsewhere }[task](rest);
await browser.close();
if (wrong.length > 0) {
  console.error([...new Set(wrong)].join("\n"));
  process.exit(1);
}
console.log(`ok ${task}`);
