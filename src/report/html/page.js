"use strict";
// The report of straykey. All data is in this file; whatever of it came from scanned files is put into the page as text only.
(() => {
  const PAGE = 50;
  const PRINTED = 300;
  const DAY = 86400;
  const SEVERITIES = ["low", "medium", "high", "critical"];
  const GROUPS = ["live", "unverified", "inactive"];
  // Columns of a row of the index, as html.rs writes them.
  const [SEVERITY, STATE, GROUP, TITLE, KEY, ACCOUNT, PLACE, PLACES, FIRST, UNTIL, AUTHOR, BLOCKS, SUPPRESSED, NUMBER, ROOT] = Array(15).keys();

  const find = (id) => document.getElementById(id);
  const parse = (element) => JSON.parse(element.textContent);
  const meta = parse(find("meta"));
  const rows = parse(find("index"));
  find("index").remove();
  const plural = (number, thing) => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
  const date = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);

  function make(name, properties, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties || {})) {
      if (key === "class") element.className = value;
      else if (key in element && key !== "for") element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }
  function draw(name, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }
  function link(url, text, label) {
    if (!/^https?:\/\//.test(url || "")) return make("span", {}, text);
    const anchor = make("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, text);
    if (label) anchor.setAttribute("aria-label", label);
    return anchor;
  }

  // What is shown: filters, order, page.
  const state = { text: "", severity: "", rule: "", tile: "", sort: "priority", down: false, page: 0, open: new Set() };
  let shown = Uint32Array.from(rows.keys());
  let haystack = null;
  const textOf = (row) =>
    [meta.titles[row[TITLE]][1], meta.titles[row[TITLE]][0], row[KEY], row[ACCOUNT], row[PLACE], row[AUTHOR], row[NUMBER], meta.states[row[STATE]]].join("\n").toLowerCase();
  function texts() {
    if (!haystack) haystack = rows.map(textOf);
    return haystack;
  }
  const inTile = {
    "": () => true,
    live: (row) => row[GROUP] === 0 && !row[SUPPRESSED],
    unverified: (row) => row[GROUP] === 1 && !row[SUPPRESSED],
    inactive: (row) => row[GROUP] === 2 && !row[SUPPRESSED],
    suppressed: (row) => row[SUPPRESSED] !== 0,
    blocking: (row) => row[BLOCKS] === 1,
  };
  const compareText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const orders = {
    priority: (a, b) => a - b,
    severity: (a, b) => rows[b][SEVERITY] - rows[a][SEVERITY],
    title: (a, b) => compareText(meta.titles[rows[a][TITLE]][1], meta.titles[rows[b][TITLE]][1]) || compareText(rows[a][KEY], rows[b][KEY]),
    status: (a, b) => rows[a][GROUP] - rows[b][GROUP] || rows[a][STATE] - rows[b][STATE],
    place: (a, b) => compareText(rows[a][PLACE], rows[b][PLACE]),
    first: (a, b) => (rows[a][FIRST] ?? Infinity) - (rows[b][FIRST] ?? Infinity) || 0,
  };
  function select() {
    const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const searched = words.length ? texts() : null;
    const severity = state.severity === "" ? -1 : SEVERITIES.indexOf(state.severity);
    const rule = state.rule;
    const tile = inTile[state.tile];
    const found = [];
    for (let index = 0; index < rows.length; index += 1) {
      const row = rows[index];
      if (severity >= 0 && row[SEVERITY] !== severity) continue;
      if (rule && meta.titles[row[TITLE]][0] !== rule) continue;
      if (!tile(row)) continue;
      if (searched && !words.every((word) => searched[index].includes(word))) continue;
      found.push(index);
    }
    shown = Uint32Array.from(found);
    if (state.sort !== "priority") {
      const order = orders[state.sort];
      shown.sort((a, b) => order(a, b) || a - b);
    }
    if (state.down) shown.reverse();
    state.page = 0;
    render();
  }

  // Details stand in blocks of their own, which are read when one of theirs is opened.
  const blocks = new Map();
  function detailOf(index) {
    const number = Math.floor(index / meta.block);
    if (!blocks.has(number)) {
      const element = find(`d${number}`);
      if (!element) return null;
      blocks.set(number, parse(element));
    }
    return blocks.get(number)[index % meta.block];
  }

  function pill(text, kind) {
    return make("span", { class: `pill ${kind}` }, text);
  }
  function statusOf(row) {
    const parts = [row[ROOT] ? pill("live root key", "live") : pill(meta.states[row[STATE]], GROUPS[row[GROUP]])];
    if (row[SUPPRESSED]) parts.push(make("div", { class: "under plain" }, meta.suppressions[row[SUPPRESSED]]));
    if (!row[BLOCKS] && !row[SUPPRESSED]) parts.push(make("div", { class: "under plain" }, "does not block"));
    return parts;
  }
  function whenOf(row) {
    if (row[FIRST] === null) return [make("span", { class: "under plain" }, "no history scanned")];
    const end = row[UNTIL] ?? meta.now;
    const days = Math.max(0, Math.round((end - row[FIRST]) / DAY));
    const how = row[UNTIL] === null ? "exposed for" : "was there for";
    return [date(row[FIRST]), make("div", { class: "under plain" }, `${how} ${plural(days, "day")}`)];
  }
  function rowOf(index, open) {
    const row = rows[index];
    const [, title] = meta.titles[row[TITLE]];
    const button = make("button", { class: "name", type: "button", "aria-expanded": String(open), "aria-controls": `x${index}` }, title);
    button.addEventListener("click", () => toggle(index));
    const identity = [row[KEY], row[ACCOUNT] && `account ${row[ACCOUNT]}`].filter(Boolean).join(" · ");
    const more = row[PLACES] > 1 ? make("div", { class: "under plain" }, `and ${plural(row[PLACES] - 1, "more place")}`) : null;
    return make("tr", { class: open ? "finding open" : "finding", id: `f${index}` },
      make("td", { class: "how" }, pill(SEVERITIES[row[SEVERITY]], SEVERITIES[row[SEVERITY]])),
      make("td", { class: "what" }, button, make("div", { class: "under mono" }, identity)),
      make("td", { class: "state" }, ...statusOf(row)),
      make("td", { class: "where" }, make("span", { class: "mono" }, row[PLACE]), more),
      make("td", { class: "when" }, ...whenOf(row)));
  }

  function fact(list, name, ...value) {
    if (value.some((it) => it !== null && it !== undefined && it !== "")) list.append(make("dt", {}, name), make("dd", {}, ...value));
  }
  function facts(row, detail) {
    const list = make("dl");
    fact(list, "Finding", make("span", { class: "mono" }, detail.fingerprint));
    fact(list, "Rule", make("span", { class: "mono" }, meta.titles[row[TITLE]][0]));
    fact(list, "Confidence", detail.confidence);
    fact(list, "Kind of key", detail.key_type);
    fact(list, "Verification", detail.verdict || "not asked");
    fact(list, "Belongs to", detail.owner);
    if (detail.canary) fact(list, "Canary", "its account is known to issue canary tokens: it is meant to be found");
    fact(list, "Set aside", detail.suppression);
    fact(list, "In history", detail.held);
    return list;
  }
  function commitOf(commit) {
    return commit && link(commit[1], make("code", {}, commit[0].slice(0, 12)), `commit ${commit[0].slice(0, 12)}`);
  }
  function timeline(row, detail) {
    if (!detail.events.length) return [];
    const last = row[UNTIL] ?? meta.now;
    const width = Math.max(1, meta.now - meta.since);
    const scale = (seconds) => Math.min(1000, Math.max(0, ((seconds - meta.since) / width) * 1000));
    const bar = draw("svg", { class: "bar", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    bar.append(draw("rect", { class: "back", width: 1000, height: 10 }));
    if (row[FIRST] !== null) {
      const start = scale(row[FIRST]);
      bar.append(draw("rect", { class: row[UNTIL] === null ? "span now" : "span", x: start, width: Math.max(6, scale(last) - start), height: 10 }));
    }
    const events = detail.events.map(([what, seconds, who, commit]) =>
      make("li", { class: what === "taken out" ? "end" : "" },
        make("strong", {}, seconds === null ? "date not known" : date(seconds)), ` ${what} `, commitOf(commit), who ? ` by ${who}` : null));
    if (row[UNTIL] === null) events.push(make("li", { class: "now" }, make("strong", {}, date(meta.now)), " still there when it was scanned"));
    return [make("h3", {}, "Timeline of exposure"), bar, make("ul", { class: "events" }, ...events)];
  }
  function place([path, line, kind, commit, url, excerpt]) {
    const head = make("div", { class: "head" }, link(url, make("code", {}, line === null ? path : `${path}:${line}`)));
    if (commit) head.append(make("span", { class: "under plain" }, "commit ", commitOf(commit)));
    else if (kind !== "file") head.append(make("span", { class: "under plain" }, kind));
    const item = make("li", {}, head);
    if (excerpt.length) {
      const code = make("pre", { tabIndex: 0, "aria-label": `lines of ${path}`, role: "group" });
      const wide = String(excerpt[excerpt.length - 1][0]).length;
      excerpt.forEach(([number, text], index) => {
        code.append(make("span", { class: "number" }, `${index ? "\n" : ""}${String(number).padStart(wide)} │ `), text);
      });
      item.append(code);
    }
    return item;
  }
  function steps(row, detail) {
    const advice = meta.advice[detail.advice];
    const box = make("section", { class: "next panel" }, make("h3", {}, "What to do next"), make("p", {}, `${advice.what} ${advice.why}`));
    if (detail.command) {
      const copy = make("button", { class: "button copy", type: "button" }, "Copy");
      copy.addEventListener("click", async () => {
        try { await navigator.clipboard.writeText(detail.command); copy.textContent = "Copied"; } catch { copy.textContent = "Select it and copy"; }
      });
      box.append(make("p", {}, "Stop it now:"), make("pre", { class: "command" }, detail.command), copy);
    }
    if (detail.notes.length) box.append(make("ul", {}, ...detail.notes.map((note) => make("li", {}, note))));
    const own = (step) => (row[KEY] ? step.replaceAll("--access-key-id ID", `--access-key-id ${row[KEY]}`) : step);
    box.append(make("ol", {}, ...advice.steps.map((step) => make("li", {}, own(step)))));
    return box;
  }
  function detailRow(index) {
    const row = rows[index];
    const detail = detailOf(index);
    const cell = make("td", { colSpan: 5 });
    const line = make("tr", { class: "detail", id: `x${index}` }, cell);
    if (!detail) {
      cell.append("The rest of the report is still loading.");
      return line;
    }
    const left = make("div", {}, ...timeline(row, detail), make("h3", {}, "Where it is"), make("ul", { class: "places" }, ...detail.places.map(place)));
    const hidden = row[PLACES] - detail.places.length;
    if (hidden > 0) left.append(make("p", { class: "under plain" }, `and ${plural(hidden, "more place")}; the json format lists all of them`));
    left.append(make("h3", {}, "Facts"), facts(row, detail));
    cell.append(make("div", { class: "columns" }, left, steps(row, detail)));
    return line;
  }

  const body = find("rows");
  function toggle(index) {
    const line = find(`f${index}`);
    const open = !state.open.has(index);
    line.classList.toggle("open", open);
    line.querySelector(".name").setAttribute("aria-expanded", String(open));
    if (open) {
      state.open.add(index);
      line.after(detailRow(index));
    } else {
      state.open.delete(index);
      find(`x${index}`)?.remove();
    }
  }
  function fill(indexes, isOpen) {
    const parts = document.createDocumentFragment();
    for (const index of indexes) {
      const open = isOpen(index);
      parts.append(rowOf(index, open));
      if (open) parts.append(detailRow(index));
    }
    body.replaceChildren(parts);
  }
  function render() {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    const from = state.page * PAGE;
    fill(shown.subarray(from, from + PAGE), (index) => state.open.has(index));
    find("none").hidden = shown.length > 0;
    find("table").hidden = shown.length === 0;
    const range = shown.length ? `${(from + 1).toLocaleString("en")}–${Math.min(from + PAGE, shown.length).toLocaleString("en")} of ` : "";
    const all = shown.length === rows.length ? "" : ` (${plural(rows.length, "credential")} in all)`;
    find("count").textContent = `${range}${plural(shown.length, "credential")}${all}`;
    find("page").textContent = `Page ${(state.page + 1).toLocaleString("en")} of ${pages.toLocaleString("en")}`;
    find("back").disabled = state.page === 0;
    find("on").disabled = state.page >= pages - 1;
    find("pages").hidden = pages === 1;
    for (const head of document.querySelectorAll("th[data-sort]")) {
      const sorted = head.dataset.sort === state.sort;
      if (sorted) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    for (const tile of document.querySelectorAll(".tile")) tile.setAttribute("aria-pressed", String(tile.dataset.tile === state.tile));
    find("sort").value = state.sort;
  }
  function turn(by) {
    state.page += by;
    render();
    find("list").scrollIntoView({ block: "start" });
  }

  // The number of credentials that were in the history, by time.
  function chart() {
    const known = rows.filter((row) => row[FIRST] !== null);
    if (!known.length) return;
    const COUNT = 60;
    const width = Math.max(1, meta.now - meta.since);
    const slot = (seconds) => Math.min(COUNT - 1, Math.max(0, Math.floor(((seconds - meta.since) / width) * COUNT)));
    const change = new Array(COUNT + 1).fill(0);
    for (const row of known) {
      change[slot(row[FIRST])] += 1;
      change[slot(row[UNTIL] ?? meta.now) + 1] -= 1;
    }
    let level = 0;
    const levels = change.slice(0, COUNT).map((step) => (level += step));
    const most = Math.max(...levels);
    const image = draw("svg", { viewBox: `0 0 ${COUNT * 10} 92`, preserveAspectRatio: "none", role: "img", "aria-label": `Credentials in the history from ${date(meta.since)} to ${date(meta.now)}: at most ${most} at a time` });
    levels.forEach((number, index) => {
      const height = (number / most) * 88;
      image.append(draw("rect", { x: index * 10 + 1, y: 92 - height, width: 8, height }));
    });
    find("chart").append(make("h2", {}, "Exposure over time"),
      make("p", {}, `Credentials that the history held, ${plural(most, "credential")} at most at a time. ${plural(known.filter((row) => row[UNTIL] === null).length, "credential")} still there.`),
      image, make("div", { class: "axis" }, make("span", {}, date(meta.since)), make("span", {}, date(meta.now))));
    find("chart").hidden = false;
  }

  // A spreadsheet takes a cell that begins so for a formula.
  const cell = (value) => {
    const text = /^[=+\-@|%\t\r＝＋－＠]/.test(value) ? `'${value}` : value;
    return `"${text.replaceAll('"', '""')}"`;
  };
  function download() {
    const head = ["finding", "severity", "rule", "title", "access_key_id", "account_id", "status", "blocks", "first_place", "places", "first_seen", "author"];
    const lines = [head.join(",")];
    for (const index of shown) {
      const row = rows[index];
      const [rule, title] = meta.titles[row[TITLE]];
      lines.push([row[NUMBER], SEVERITIES[row[SEVERITY]], rule, title, row[KEY] || "", row[ACCOUNT] || "", meta.states[row[STATE]], String(row[BLOCKS] === 1),
        row[PLACE], String(row[PLACES]), row[FIRST] === null ? "" : date(row[FIRST]), row[AUTHOR] || ""].map(cell).join(","));
    }
    const url = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
    make("a", { href: url, download: "straykey.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  for (const rule of [...new Set(meta.titles.map(([rule]) => rule))].sort()) find("rule").append(make("option", { value: rule }, rule));
  let waiting = 0;
  find("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { state.text = event.target.value; select(); }, rows.length > 5000 ? 150 : 0);
  });
  for (const name of ["severity", "rule", "sort"]) {
    find(name).addEventListener("change", (event) => { state[name] = event.target.value; if (name === "sort") state.down = false; select(); });
  }
  for (const tile of document.querySelectorAll(".tile")) {
    tile.disabled = false;
    tile.addEventListener("click", () => { state.tile = state.tile === tile.dataset.tile ? "" : tile.dataset.tile; select(); });
  }
  for (const head of document.querySelectorAll("th[data-sort]")) {
    head.querySelector("button").addEventListener("click", () => {
      state.down = state.sort === head.dataset.sort && !state.down;
      state.sort = head.dataset.sort;
      select();
    });
  }
  find("reset").addEventListener("click", () => {
    Object.assign(state, { text: "", severity: "", rule: "", tile: "", sort: "priority", down: false });
    for (const name of ["search", "severity", "rule"]) find(name).value = "";
    select();
  });
  find("save").addEventListener("click", download);
  find("back").addEventListener("click", () => turn(-1));
  find("on").addEventListener("click", () => turn(1));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      find("search").focus();
    }
  });
  // On paper there is nothing to open: everything that is selected is written out, up to a limit.
  addEventListener("beforeprint", () => {
    fill(shown.subarray(0, PRINTED), () => true);
    if (shown.length > PRINTED) find("count").textContent = `The first ${PRINTED} of ${plural(shown.length, "credential")}; filter the list to print others`;
  });
  addEventListener("afterprint", render);
  function follow() {
    const number = location.hash.slice(1);
    const index = /^[0-9a-f]{8}$/.test(number) ? rows.findIndex((row) => row[NUMBER] === number) : -1;
    if (index < 0) return;
    state.page = Math.floor(shown.indexOf(index) / PAGE);
    state.open.add(index);
    render();
    find(`f${index}`)?.scrollIntoView();
  }
  addEventListener("hashchange", follow);
  // Blocks that were still on their way when one of theirs was opened.
  addEventListener("DOMContentLoaded", () => { if (state.open.size) render(); follow(); });

  find("list").hidden = false;
  chart();
  render();
  if (rows.length > 5000) setTimeout(texts, 300);
})();
