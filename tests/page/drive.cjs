// Looks at the page in headless Chromium, as a person with a screen, a keyboard or a screen reader would. The test that starts it makes
// trouble when it is asked to: a line on standard output asks, a line on standard input says that it is done.
"use strict";
const { chromium } = require("playwright-core");
const axe = require("axe-core");
const readline = require("node:readline");

const { base, out, world, paths, names, asks, chromium: program } = JSON.parse(process.env.WHEELWRIGHT_PAGE);
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const faults = [];
const fault = (text) => faults.push(text);

async function please(what) {
  console.log(what);
  const { done } = await answers.next();
  if (done) throw new Error("the test went away");
}

// What is wrong with how a page looks, found in the page itself.
function measured() {
  const found = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`scrolls sideways: ${wide} of ${innerWidth} px`);
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(element) || element.closest("title, script")) continue;
    const size = parseFloat(getComputedStyle(element).fontSize);
    const drawn = element.closest("svg");
    const scale = drawn ? drawn.getScreenCTM().a : 1;
    if (size * scale < 11.99) found.push(`text of ${size * scale} px: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  for (const wheel of document.querySelectorAll("svg.wheel")) {
    if (!shown(wheel)) continue;
    const frame = wheel.getBoundingClientRect();
    const labels = [...wheel.querySelectorAll("text")].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
    labels.forEach(({ text, box }, at) => {
      if (box.left < frame.left - 0.5 || box.right > frame.right + 0.5 || box.top < frame.top - 0.5 || box.bottom > frame.bottom + 0.5)
        found.push(`label beyond the picture: ${text} (${Math.round(box.left - frame.left)} to ${Math.round(box.right - frame.left)} of ${frame.width})`);
      for (const other of labels.slice(at + 1)) {
        // The boxes of two lines of one text may share the room between their letters.
        const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (across > 1 && down > 3) found.push(`labels touch: ${text} / ${other.text}`);
      }
    });
  }
  // Text that its box cuts off, or that stands out of a cell.
  for (const element of document.querySelectorAll("main :is(p, dd, dt, li, td, th, h1, h2, h3, a, code, button)")) {
    if (!shown(element) || element.closest("svg, .table, pre")) continue;
    if (element.getBoundingClientRect().right > innerWidth + 0.5) found.push(`beyond the screen: ${element.textContent.trim().slice(0, 50)}`);
  }
  return found;
}

async function opened(browser, options, where) {
  const context = await browser.newContext({ bypassCSP: false, ...options });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !page.expectsTrouble) fault(`${where}: console: ${message.text()}`);
  });
  page.on("pageerror", (error) => fault(`${where}: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) fault(`${where}: asks ${request.url()}`);
  });
  page.setDefaultTimeout(60000);
  return page;
}

// axe brings a script of its own, which the page's policy rightly refuses; it is run from outside of it.
async function accessible(page, where) {
  const results = await page.evaluate(`${axe.source}; axe.run(document, { resultTypes: ["violations"] })`);
  for (const { id, help, nodes } of results.violations)
    fault(`${where}: axe ${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.target.join(" ") + " " + (node.any[0] || node.all[0] || {}).message).join(" | ")}`);
}

async function looks(browser, state) {
  for (const width of [390, 1280, 1920]) {
    for (const colorScheme of ["light", "dark"]) {
      const where = `${world}-${state}-${width}-${colorScheme}`;
      const page = await opened(browser, { viewport: { width, height: 900 }, colorScheme }, where);
      for (const [name, path] of Object.entries(paths)) {
        // A browser says of itself that a page was not found.
        page.expectsTrouble = name === "missing";
        await page.goto(base + path);
        await page.screenshot({ path: `${out}/${world}-${state}-${name}-${width}-${colorScheme}.png`, fullPage: true });
        for (const found of await page.evaluate(measured)) fault(`${where} ${path}: ${found}`);
        await accessible(page, `${where} ${path}`);
      }
      await page.context().close();
    }
  }
}

async function namesEverything(browser) {
  for (const width of [390, 1280]) {
    const page = await opened(browser, { viewport: { width, height: 900 } }, `names ${width}`);
    await page.goto(base + "/");
    const told = await page.$$eval("svg.wheel a", (links) =>
      links.filter((link) => link.checkVisibility()).map((link) => link.getAttribute("aria-label")).join("\n"));
    for (const name of names) if (!told.includes(name)) fault(`${width}: the picture does not name ${name}`);
    await page.context().close();
  }
}

async function drifts(browser) {
  const page = await opened(browser, { viewport: { width: 1280, height: 900 } }, "drift");
  await page.goto(base + "/");
  await page.evaluate(() => { window.isSame = true; });
  await page.waitForFunction(() => document.querySelector("#headline").textContent.startsWith("All"));
  // What somebody is at must not go away under them.
  await page.click("#scopes summary");
  const route = 'svg.wide a.route[href="/routes/payments.settlements/ledger.large"]';
  await page.focus(route);
  await page.evaluate(() => scrollTo(0, 200));
  const scrolled = await page.evaluate(() => scrollY);
  await please("break");
  await page.waitForSelector(route + ".s-drifted");
  await page.waitForFunction(() => /^1 of 22 routes drifted/.test(document.querySelector("#headline").textContent));
  const seen = await page.evaluate((route) => ({
    same: window.isSame,
    open: document.querySelector("#scopes").open,
    focused: document.activeElement === document.querySelector(route),
    scrolled: scrollY,
    said: document.querySelector("#live").textContent,
    mark: Boolean(document.querySelector(route + " .mark")),
    dashes: getComputedStyle(document.querySelector(route + " .line")).strokeDasharray,
  }), route);
  if (!seen.same) fault("drift: the page was loaded anew");
  if (!seen.open) fault("drift: what was open closed itself");
  if (!seen.focused) fault("drift: the focus was lost");
  if (Math.abs(seen.scrolled - scrolled) > 2) fault(`drift: it scrolled from ${scrolled} to ${seen.scrolled}`);
  if (!/drifted/.test(seen.said)) fault(`drift: a screen reader hears ${JSON.stringify(seen.said)}`);
  if (!seen.mark || seen.dashes === "none") fault(`drift: it is told by colour alone (${JSON.stringify(seen)})`);
  await looks(browser, "broken");
  await please("mend");
  await page.waitForFunction(() => document.querySelector("#headline").textContent.startsWith("All"));
  if (await page.$(route + ".s-drifted")) fault("drift: it did not clear");
  if (!(await page.evaluate(() => window.isSame))) fault("drift: the page was loaded anew when it cleared");

  // The daemon goes away: it is said, and what was there stays.
  page.expectsTrouble = true;
  await page.route("**/*", (asked) => asked.abort());
  await page.waitForSelector("#live.shown");
  if (!/does not answer/.test(await page.textContent("#live"))) fault("away: it is not said");
  await page.unroute("**/*");
  await page.waitForSelector("#live:not(.shown)", { state: "attached" });
  await page.context().close();
}

async function filters(browser) {
  for (const javaScriptEnabled of [true, false]) {
    const where = javaScriptEnabled ? "filter" : "filter without scripts";
    const page = await opened(browser, { viewport: { width: 1280, height: 900 }, javaScriptEnabled }, where);
    await page.goto(base + "/");
    await page.selectOption("#filter-team", "ledger");
    if (!javaScriptEnabled) await page.click("#filter button");
    await page.waitForURL(base + "/?team=ledger*");
    await page.waitForSelector("svg.wide a.route.fade", { state: "attached" });
    const texts = await page.locator("table.routes tbody th").allTextContents();
    if (!texts.length || texts.some((text) => !text.includes("ledger"))) fault(`${where}: rows ${texts.join(" | ")}`);
    const faded = await page.locator("svg.wide a.route.fade").count(), lit = await page.locator("svg.wide a.route:not(.fade)").count();
    if (!faded || lit !== texts.length) fault(`${where}: ${lit} routes stand out, and the table has ${texts.length}`);
    await page.click(".legend a.s-delivering");
    await page.waitForURL(/state=delivering/);
    await page.click("#filter .clear");
    await page.waitForURL(base + "/");
    await page.waitForFunction(() => true).catch(() => {});
    await page.goBack();
    await page.waitForURL(/state=delivering/);
    await page.context().close();
  }
}

async function keyboard(browser) {
  const page = await opened(browser, { viewport: { width: 1280, height: 900 } }, "keyboard");
  await page.goto(base + "/");
  await page.keyboard.press("Tab");
  if ((await page.evaluate(() => document.activeElement.className)) !== "skip") fault("keyboard: the first stop is not the way to the content");
  // A spoke lights up its routes.
  const spoke = page.locator('svg.wide a.spoke[aria-label*="team ledger"]').first();
  await spoke.focus();
  const lit = await page.locator("svg.wide .route.lit").count();
  if (!lit) fault("keyboard: a spoke with the focus lights nothing up");
  await page.keyboard.press("ArrowDown");
  const next = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  if (!next || next.includes("team ledger")) fault(`keyboard: an arrow leads to ${next}`);
  // A route is a link.
  await page.locator('svg.wide a.route[href="/routes/payments.settlements/ledger.large"]').focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(base + "/routes/payments.settlements/ledger.large");
  await page.waitForSelector("ol.hops > li:nth-child(5)");
  await page.context().close();
}

// Ten events, pasted into the form of the first page: the answer names the routes that take them.
async function traces(browser) {
  for (const [width, colorScheme] of [[390, "dark"], [1280, "light"]]) {
    const page = await opened(browser, { viewport: { width, height: 900 }, colorScheme }, `trace ${width}`);
    for (const [at, { event, by, taken }] of asks.entries()) {
      const where = `trace ${at} at ${width}`;
      await page.goto(base + "/");
      await page.fill("#ask-event", event);
      await page.selectOption("#ask-by", by);
      await page.click(".ask button");
      await page.waitForSelector("#trace");
      const tables = page.locator('#trace > .table[aria-label="Taken by"]');
      const told = (await tables.count()) ? await tables.first().locator("tbody th").allInnerTexts() : [];
      const routes = told.map((text) => text.replace(/\s+/g, " ").replace("→", "->").trim()).sort();
      if (routes.join() !== [...taken].sort().join()) fault(`${where}: it is taken by ${taken.join(", ")}, and the page says ${routes.join(", ")}`);
      if ((await page.inputValue("#ask-event")) !== event) fault(`${where}: the event is not in the form any more`);
      if (at % 4) continue;
      await page.screenshot({ path: `${out}/${world}-trace-${at}-${width}-${colorScheme}.png`, fullPage: true });
      for (const found of await page.evaluate(measured)) fault(`${where}: ${found}`);
      await accessible(page, where);
    }
    await page.context().close();
  }
}

async function time(browser) {
  const page = await opened(browser, { viewport: { width: 1280, height: 900 } }, "time");
  const began = Date.now();
  const answer = await page.goto(base + "/");
  const bytes = (await answer.body()).length;
  const drawn = await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))));
  console.error(`${world}: ${bytes} bytes, drawn ${Math.round(drawn)} ms after it was asked for (${Date.now() - began} ms in all), ${await page.locator("*").count()} elements`);
  await page.context().close();
}

(async () => {
  const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
  try {
    await looks(browser, "well");
    await time(browser);
    if (names.length) {
      await namesEverything(browser);
      await filters(browser);
      await keyboard(browser);
      await traces(browser);
      await drifts(browser);
    }
  } catch (error) {
    fault(error.stack);
  }
  await browser.close();
  for (const text of [...new Set(faults)]) console.error(text);
  console.log(faults.length ? "faults" : "well");
  process.exit(faults.length ? 1 : 0);
})();
