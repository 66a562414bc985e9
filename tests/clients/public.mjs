// A reader of the public pages: a real browser, with axe. Arguments: what to do, the address of register or catalogue, and what that
// takes.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";
import { MOST_BYTES, weighed } from "./weight.mjs";

const require = createRequire(path.join(process.env.MERIDIAN_TEST_BROWSER, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } };
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const [task, root, ...rest] = process.argv.slice(2);
const origin = new URL(root).origin;
const wrong = [];

const browser = await chromium.launch({
  executablePath: process.env.MERIDIAN_TEST_CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

async function open(size, javaScriptEnabled = true) {
  const context = await browser.newContext({ viewport: SIZES[size], javaScriptEnabled });
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  page.on("request", (request) => {
    if (!["/register/", "/catalogue/"].some((below) => request.url().startsWith(origin + below))) wrong.push(`a request goes to ${request.url()}`);
    if (!["document", "stylesheet", "image", "other"].includes(request.resourceType()))
      wrong.push(`${request.url()} is a ${request.resourceType()}`);
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("404")) wrong.push(`console: ${message.text()}`);
  });
  return page;
}

// Zero violations of axe, nothing wider than the screen, no script, no cookie.
async function look(addresses) {
  for (const size of Object.keys(SIZES)) {
    const page = await open(size);
    for (const address of addresses) {
      const weigh = await weighed(page);
      await page.goto(root + address);
      const at = `${address || "overview"} (${size})`;
      const bytes = await weigh();
      if (bytes === 0 || bytes > MOST_BYTES) wrong.push(`${at}: it weighs ${bytes} bytes`);
      await page.evaluate(axe);
      const result = await page.evaluate((tags) => window.axe.run({ runOnly: tags, preload: false, resultTypes: ["violations"] } ), TAGS);
      if (result.passes.length === 0) wrong.push(`${at}: axe looked at nothing`);
      for (const violation of result.violations) {
        const nodes = violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ");
        wrong.push(`${at}: ${violation.id} (${violation.help}): ${nodes}`);
      }
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
      if (wide > 0) wrong.push(`${at}: ${wide} pixels wider than the screen`);
      const scripts = await page.evaluate(() => document.querySelectorAll("script, [onclick], iframe, object").length);
      if (scripts > 0) wrong.push(`${at}: there are scripts`);
      if ((await page.context().cookies()).length > 0) wrong.push(`${at}: there are cookies`);
    }
    await page.context().close();
  }
}

// By keyboard alone: the skip link comes first and works, and whatever is reached is seen to be.
async function keyboard(addresses) {
  for (const size of Object.keys(SIZES)) {
    const page = await open(size);
    for (const address of addresses) {
      const at = `${address || "overview"} (${size})`;
      await page.goto(root + address);
      await page.keyboard.press("Tab");
      const skip = await page.evaluate(() => {
        const box = document.activeElement.getBoundingClientRect();
        return document.activeElement.className === "skip" && box.left >= 0 && box.top >= 0 && box.width > 0;
      });
      if (!skip) wrong.push(`${at}: the first thing reached is no visible skip link`);
      await page.keyboard.press("Enter");
      if ((await page.evaluate(() => document.activeElement.id)) !== "main") wrong.push(`${at}: the skip link does not lead to main`);
      await page.goto("about:blank");
      await page.goto(root + address);
      const count = await page.evaluate(() => document.querySelectorAll("a[href], button, input, summary, [tabindex='0']").length);
      const reached = new Set();
      for (let n = 0; n < count + 5; n += 1) {
        await page.keyboard.press("Tab");
        const found = await page.evaluate(() => {
          const element = document.activeElement;
          if (element === document.body) return null;
          const style = getComputedStyle(element);
          const box = element.getBoundingClientRect();
          const all = [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")];
          const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && !style.outlineColor.includes(", 0)");
          return {
            index: all.indexOf(element),
            seen: (outline || style.boxShadow !== "none") && box.width > 0 && box.bottom > 0 && box.top < innerHeight,
            html: element.outerHTML.slice(0, 120),
          };
        });
        if (found === null) break;
        if (!found.seen) wrong.push(`${at}: focus can't be seen on ${found.html}`);
        reached.add(found.index);
      }
      // What is in closed details can't be reached, and need not be.
      const hidden = await page.evaluate(() => document.querySelectorAll("details:not([open]) :is(a[href], [tabindex='0'])").length);
      if (reached.size < count - hidden) wrong.push(`${at}: ${count - hidden} things can be used and ${reached.size} be reached`);
    }
    await page.context().close();
  }
}

// Without scripts: a body is found by typing a part of its name.
async function find([text, expected]) {
  const page = await open("phone", false);
  await page.goto(root);
  await page.focus("#q");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/bodies?q=${text.replaceAll(" ", "+")}`);
  const found = await page.locator("main ul.columns a").allTextContents();
  if (found.join() !== expected) wrong.push(`${text} finds ${found}`);
  await page.locator("main ul.columns a").first().click();
  const title = await page.locator("h1").textContent();
  if (title !== expected) wrong.push(`${text} leads to ${title}`);
}

// Without scripts: a dataset is found by words, read, and had in a form for programs.
async function dataset([text, expected]) {
  const page = await open("phone", false);
  await page.goto(root);
  await page.focus("#q");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/catalogue/?q=${text.replaceAll(" ", "+")}`);
  await page.locator("main ul.cards a").first().click();
  const title = await page.locator("h1").textContent();
  if (!title.startsWith(expected)) wrong.push(`${text} leads to ${title}`);
  const data = await page.request.get(new URL(await page.locator("a:text-is('JSON')").first().getAttribute("href"), page.url()).href);
  if ((await data.json()).title !== expected) wrong.push(`${text}: the page and its data differ`);
}

// Pictures of pages, for people.
async function pictures([folder, ...addresses]) {
  for (const size of Object.keys(SIZES)) {
    const page = await open(size);
    for (const address of addresses) {
      await page.goto(root + address);
      const name = (address || "overview").replaceAll(/[^a-z0-9]+/g, "-");
      await page.screenshot({ path: path.join(folder, `${name}-${size}.png`), fullPage: true });
    }
  }
}

await { look, keyboard, find, dataset, pictures }[task](rest);
await browser.close();
if (wrong.length > 0) {
  console.error([...new Set(wrong)].join("\n"));
  process.exit(1);
}
console.log(`ok ${task}`);
