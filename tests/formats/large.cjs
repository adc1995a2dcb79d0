// How long a large report takes to open and to filter: large.cjs MODULES CHROMIUM REPORT.html
"use strict";
const path = require("node:path");
const [modules, chromium, report] = process.argv.slice(2);
const playwright = require(path.join(modules, "playwright-core"));
const { launch, url } = require("./launch.cjs");

/** Seconds from an action in the page to the frame after it has been drawn. */
const timed = (page, action) => page.evaluate(async (text) => {
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const start = performance.now();
  await (0, eval)(text)();
  await drawn();
  return (performance.now() - start) / 1000;
}, `(${action})`);

(async () => {
  const browser = await launch(playwright, chromium);
  try {
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    const start = performance.now();
    await page.goto(url(report), { waitUntil: "commit", timeout: 120_000 });
    await page.waitForSelector("tr.finding", { timeout: 120_000 });
    const results = { opened: (performance.now() - start) / 1000 };
    await page.waitForLoadState("load", { timeout: 120_000 });
    results.loaded = (performance.now() - start) / 1000;
    const until = (text) => `async () => { ${text} while (!ready()) await new Promise((next) => setTimeout(next, 5)); }`;
    const search = (word) => until(`const box = document.getElementById("search"); const before = document.getElementById("count").textContent; box.value = "${word}"; box.dispatchEvent(new Event("input")); const ready = () => document.getElementById("count").textContent !== before;`);
    results.search = await timed(page, search("terraform/12 main"));
    results.search_again = await timed(page, search("grace@example.com"));
    results.reset = await timed(page, `() => document.getElementById("reset").click()`);
    results.tile = await timed(page, `() => document.querySelector(".tile.live").click()`);
    await timed(page, `() => document.getElementById("reset").click()`);
    results.severity = await timed(page, `() => { const it = document.getElementById("severity"); it.value = "high"; it.dispatchEvent(new Event("change")); }`);
    await timed(page, `() => document.getElementById("reset").click()`);
    for (const name of ["severity", "title", "status", "place", "first"]) results[`sort_${name}`] = await timed(page, `() => document.querySelector("th[data-sort=${name}] button").click()`);
    results.open = await timed(page, `() => document.querySelector("tr.finding .name").click()`);
    results.rows = Number((await page.textContent(".tile.all strong")).replaceAll(",", ""));
    results.details = await page.locator("tr.detail").count();
    console.log(JSON.stringify(results));
  } finally {
    await browser.close();
  }
})().catch((error) => { console.error(error); process.exit(1); });
