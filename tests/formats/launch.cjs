// Chromium without a network of its own.
"use strict";
const { pathToFileURL } = require("node:url");
exports.url = (file) => pathToFileURL(file).href;
exports.launch = (playwright, executablePath) => playwright.chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
