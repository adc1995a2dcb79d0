// Opens reports in Chromium and uses them as people do: browser.cjs MODULES CHROMIUM SMALL.html EMPTY.html SCREENSHOTS
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const [modules, chromium, small, empty, screenshots] = process.argv.slice(2);
const playwright = require(path.join(modules, "playwright-core"));
const axe = fs.readFileSync(path.join(modules, "axe-core/axe.min.js"), "utf8");
const { launch, url } = require("./launch.cjs");

const rows = (page) => page.locator("tr.finding");
const count = (page) => page.locator("#count").textContent();

/** Whatever a page asks of the network, and whatever goes wrong in it. */
async function watched(context) {
  const page = await context.newPage();
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(`error: ${error}`));
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) page.troubles.push(message.text()); });
  page.on("dialog", (dialog) => { page.troubles.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!/^(file|data|blob):/.test(request.url())) page.troubles.push(`asks for ${request.url()}`); });
  return page;
}

async function accessible(page, what) {
  const found = await page.evaluate(async (source) => {
    // The page's policy lets no other script in; the debugger may run one all the same.
    (0, eval)(source);
    return window.axe.run(document, { resultTypes: ["violations"] });
  }, axe).catch(async (error) => { throw new Error(`axe did not run on ${what}: ${error}`); });
  const serious = found.violations.filter((it) => ["serious", "critical"].includes(it.impact));
  for (const it of found.violations) console.log(`axe, ${what}: ${it.impact}: ${it.id}: ${it.help} (${it.nodes.length}) ${it.nodes[0].html.slice(0, 120)}`);
  assert.deepEqual(serious.map((it) => it.id), [], what);
  assert.ok(found.passes.length > 15, `axe looked at little of ${what}`);
}

async function sorts(page) {
  const places = () => page.locator("tr.finding td.where .mono").allTextContents();
  await page.getByRole("button", { name: "Where" }).click();
  const up = await places();
  assert.deepEqual(up, [...up].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  assert.equal(await page.locator("th[data-sort=place]").getAttribute("aria-sort"), "ascending");
  await page.getByRole("button", { name: "Where" }).click();
  const down = await places();
  assert.deepEqual(down, [...down].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0)));
  assert.notDeepEqual(up, down);
  await page.getByRole("button", { name: "Severity" }).click();
  const first = await page.locator("tr.finding td.how").first().textContent();
  assert.equal(first, "critical");
  await page.getByRole("button", { name: "Reset" }).click();
}

async function filters(page) {
  const all = await count(page);
  await page.locator(".tile.live").click();
  for (const text of await page.locator("tr.finding td.state .pill").allTextContents()) assert.match(text, /^live/);
  assert.match(await count(page), new RegExp(`of ${await page.locator(".tile.live strong").textContent()} `));
  await page.locator(".tile.live").click();
  assert.equal(await count(page), all);
  await page.selectOption("#severity", "medium");
  for (const text of await page.locator("tr.finding td.how").allTextContents()) assert.equal(text, "medium");
  await page.selectOption("#severity", "");
  const key = (await page.locator("tr.finding td.what .under").first().textContent()).slice(0, 20);
  await page.keyboard.press("Escape");
  await page.locator("body").press("/");
  await page.keyboard.type(key.toLowerCase());
  await page.waitForFunction(() => document.querySelectorAll("tr.finding").length === 1);
  await page.locator("#search").fill("nothing like it");
  await page.waitForFunction(() => !document.getElementById("none").hidden);
  await page.getByRole("button", { name: "Reset" }).click();
  assert.equal(await count(page), all);
}

async function opens(page) {
  const button = page.locator("tr.finding .name").first();
  await button.focus();
  await page.keyboard.press("Enter");
  assert.equal(await button.getAttribute("aria-expanded"), "true");
  const detail = page.locator("tr.detail");
  assert.match(await detail.textContent(), /What to do next/);
  assert.match(await detail.textContent(), /Deactivate it now/);
  await page.keyboard.press("Enter");
  assert.equal(await detail.count(), 0);
}

/** A link leads to the line on the host: a stand-in of it, on loopback. */
async function follows(page, context) {
  await page.locator("#search").fill("terraform");
  await page.waitForFunction(() => document.querySelectorAll("tr.finding").length > 0);
  await page.locator("tr.finding .name").first().click();
  const anchor = page.locator("tr.detail .places a").first();
  const target = await anchor.getAttribute("href");
  assert.match(target, /^https:\/\/github\.com\/example\/shop\/blob\/[0-9a-f]{40}\/.+#L\d+$/);
  const server = http.createServer((request, answer) => answer.end(`<title>host</title>${request.url}`));
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  await context.route("https://github.com/**", (route) => {
    const { pathname } = new URL(route.request().url());
    return route.fulfill({ status: 302, headers: { location: `http://127.0.0.1:${server.address().port}${pathname}` } });
  });
  const troubles = page.troubles.length;
  const [opened] = await Promise.all([context.waitForEvent("page"), anchor.click()]);
  await opened.waitForLoadState();
  assert.equal(await opened.title(), "host");
  assert.match(await opened.locator("body").textContent(), /^\/example\/shop\/blob\//);
  assert.equal(await opened.evaluate(() => document.referrer), "");
  await opened.close();
  server.close();
  page.troubles.length = troubles;
  await page.getByRole("button", { name: "Reset" }).click();
}

/** Names and lines that try to be more than text. */
async function harmless(page) {
  await page.locator("#search").fill("hostile/");
  await page.waitForTimeout(300);
  const names = await page.locator("tr.finding .name").count();
  assert.ok(names > 10, `${names} hostile names`);
  for (let index = 0; index < names; index += 1) await page.locator("tr.finding .name").nth(index).click();
  const shown = await page.locator("#rows").textContent();
  for (const text of ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "\\u{202e}gnp.exe", "\\x1b[31mred", "{{title}}", "a\\nb,c\"d"]) {
    assert.ok(shown.includes(text), `${text} is not shown as it is`);
  }
  assert.equal(await page.locator("#rows script, #rows img, #rows style").count(), 0);
  const odd = await page.locator("a[href]").evaluateAll((all) => all.map((it) => it.getAttribute("href")).filter((it) => !/^(https:\/\/github\.com\/|#)/.test(it)));
  assert.deepEqual(odd, []);
  await page.getByRole("button", { name: "Reset" }).click();
}

async function saves(page) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as CSV" }).click()]);
  const text = fs.readFileSync(await download.path(), "utf8");
  assert.ok(text.startsWith("finding,severity,rule"));
  assert.ok(!/(^|,)"[=+\-@]/m.test(text), "a formula in the CSV");
  assert.equal(text.trimEnd().split("\r\n").length, 1 + (await page.evaluate(() => Number(document.querySelector(".tile.all strong").textContent.replace(",", "")))));
}

async function pictures(browser) {
  const shots = [
    ["desktop-light", { viewport: { width: 1280, height: 1400 } }],
    ["desktop-dark", { viewport: { width: 1280, height: 1400 }, colorScheme: "dark" }],
    ["phone", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }],
    ["phone-dark", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme: "dark" }],
  ];
  for (const [name, options] of shots) {
    const context = await browser.newContext(options);
    const page = await watched(context);
    await page.goto(url(small));
    const button = page.locator("tr.finding .name").nth(1);
    await button.click();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name} scrolls sideways by ${wide}`);
    await accessible(page, name);
    await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: name.startsWith("desktop") ? false : true, clip: name.startsWith("phone") ? { x: 0, y: 0, width: 390, height: 2400 } : undefined });
    assert.deepEqual(page.troubles, [], name);
    await context.close();
  }
}

async function prints(browser) {
  const context = await browser.newContext();
  const page = await watched(context);
  await page.goto(url(small));
  await page.locator("#search").fill("terraform/1");
  await page.waitForTimeout(300);
  const pdf = await page.pdf({ path: path.join(screenshots, "print.pdf"), format: "A4" });
  assert.ok(pdf.length > 10_000);
  await page.emulateMedia({ media: "print" });
  const details = await page.evaluate(() => { dispatchEvent(new Event("beforeprint")); return document.querySelectorAll("tr.detail").length; });
  assert.equal(details, await rows(page).count());
  assert.ok(details > 3, `${details} are printed`);
  await page.setViewportSize({ width: 794, height: 1123 });
  await page.screenshot({ path: path.join(screenshots, "print.png") });
  await context.close();
}

(async () => {
  fs.mkdirSync(screenshots, { recursive: true });
  const browser = await launch(playwright, chromium);
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
    const page = await watched(context);
    await page.goto(url(small));
    await sorts(page);
    await filters(page);
    await opens(page);
    await harmless(page);
    await saves(page);
    assert.deepEqual(page.troubles, []);
    await follows(page, context);
    assert.deepEqual(page.troubles, []);
    await page.goto(url(empty));
    assert.match(await page.textContent("h1"), /No leaked keys/);
    await accessible(page, "an empty report");
    await pictures(browser);
    await prints(browser);
  } finally {
    await browser.close();
  }
  console.log("chromium: sorts, filters, opens, follows links, saves, prints; nothing ran, nothing was loaded");
})().catch((error) => { console.error(error); process.exit(1); });
