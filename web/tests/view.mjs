// The first view, the charts, and the state in the address.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, asked, EXPORTER, eventually, firstSnapshot, painted, withPage } from "./browser.mjs";

test("the first view says what uses the network, what is wrong, and whether all is seen", () =>
  withPage({}, async (page) => {
    for (const direction of ["incoming", "outgoing", "local", "transit"]) {
      await eventually(
        async () => /\d/.test(await page.locator(`.tile.${direction} .tile-rate`).innerText()),
        `a rate of ${direction}`,
      );
    }
    const { health } = await ask("snapshot");
    await eventually(
      async () => (await page.locator(".health p").innerText()).trim() !== "",
      "a sentence about health",
    );
    assert.equal(await page.locator(`.health.status-${health.status}`).count(), 1);
    await eventually(async () => (await ask("hosts?limit=10&sort=bytes")).rows.length > 0, "traffic");
    await page.locator(".top-host").first().waitFor();
    await page.locator(".firing-panel li, .firing-panel .calm").first().waitFor();
    for (const selector of [".health", ".tiles", ".traffic", ".firing-panel", ".top-hosts"]) {
      const box = await page.locator(selector).boundingBox();
      assert.ok(box.y >= 0 && box.y < 900 - 100, `${selector} is seen without scrolling`);
    }
  }));

test("what is not measured is neither well nor calm", () => {
  const change = (name, body) => {
    const unknown = { status: "unknown", sentence: "Coverage is not known yet." };
    if (name === "snapshot") return { ...body, alerts: { ...body.alerts, detects: false }, health: unknown };
    if (name === "alerts") return { ...body, active: [], resolved: [] };
    if (name === "health") return { ...body, ...unknown, checks: [{ name: "coverage", ...unknown }] };
    return body;
  };
  return withPage({ change }, async (page) => {
    await page.locator(".health.status-unknown .badge", { hasText: "Not known" }).waitFor();
    await page.locator(".firing-panel", { hasText: "Detection is off: no alert can fire." }).waitFor();
    await page.getByRole("button", { name: "Checks" }).click();
    await page.locator(".checks .status-unknown .badge", { hasText: "Not known" }).waitFor();
    const green = await page.locator(".status-ok, .calm").count();
    assert.equal(green, 0, "nothing is green");
  });
});

test("the traffic chart is drawn, and its table has the same cells", () =>
  withPage({}, async (page) => {
    await eventually(async () => (await painted(page, ".plot-long canvas")) > 0.01, "a drawn chart of the last hour");
    await eventually(
      async () => (await painted(page, ".plot-short canvas")) > 0.01,
      "a drawn chart of the last minute",
    );
    await page.locator(".traffic").getByRole("button", { name: "Show as table" }).click();
    // The page may have the last minute as it was some seconds ago.
    for (const [range, title, late] of [
      ["1h", "Traffic, last hour", 1],
      ["live", "Traffic, last 60 s", 5],
    ]) {
      const { times } = await ask(`history?range=${range}`);
      const rows = await page.getByRole("region", { name: title }).locator("tbody tr").count();
      assert.ok(rows > 0 && Math.abs(rows - times.length) <= late, `${title}: ${rows} rows, ${times.length} cells`);
    }
  }));

test("the network chart has the hosts and edges of the API, as a drawing, as buttons and as a table", () =>
  withPage({ fragment: "#range=all" }, async (page) => {
    let shown;
    page.on("response", async (response) => {
      if (response.url().includes("/api/v1/graph") && response.status() === 200)
        shown = await response.json().catch(() => shown);
    });
    await page.reload();
    await page.locator('.force[data-placed="true"]').waitFor();
    await eventually(async () => (await painted(page, ".canvases canvas")) > 0.001, "a drawn chart");
    await eventually(
      async () => (await page.locator(".force .unseen button").count()) === shown.nodes.length,
      "a button for each host",
    );
    await page.locator(".network").getByRole("button", { name: "Show as table" }).click();
    await eventually(
      async () => (await page.locator(".graph-table tbody tr").count()) === shown.edges.length,
      "a row for each edge",
    );
  }));

test("the flow view draws a band for the top flows and a press filters", () =>
  withPage({ fragment: "#chart=sankey&range=all" }, async (page) => {
    await page.locator(".band").first().waitFor({ state: "attached" });
    assert.ok((await page.locator(".box").count()) >= 3);
    const box = page.locator(".box.points:has(rect.local), .box.points:has(rect.remote)").first();
    await box.locator("rect").click();
    await page.locator(".chip").first().waitFor();
    assert.match(page.url(), /filter=host%3A/);
  }));

test("hosts below ChartMinBytes are one node, which says how many they are, and unfold at a press", () =>
  withPage({}, async (page, { requests }) => {
    // The limit is that of the exporter: this one has a low one.
    await page.route(/\/api\/v1\/graph/, (route) => {
      const url = new URL(route.request().url());
      if (!url.searchParams.has("min_bytes")) url.searchParams.set("min_bytes", "1000000000000");
      return route.continue({ url: url.href });
    });
    for (const range of ["live", "5m", "1h", "all"]) {
      await page.goto(`${EXPORTER}/dashboard#range=${range}`);
      await page.reload();
      const foot = page.locator(".network .panel-foot");
      await page.locator('.force[data-placed="true"]').waitFor();
      await eventually(async () => (await painted(page, ".canvases canvas")) > 0.0005, "a drawn chart");
      const { folded } = await ask(`graph?range=${range}&min_bytes=1000000000000`);
      assert.ok(folded.below_min_bytes > 90, `${range}: ${JSON.stringify(folded)}`);
      const sentence = /No host has 1\.00 TB \(ChartMinBytes\): “other” stands for all (\d+) hosts\./;
      await foot.filter({ hasText: sentence }).waitFor();
      const names = await page
        .locator(".force .chart-keys button")
        .evaluateAll((all) => all.map((one) => one.ariaLabel));
      assert.ok(
        names.some((name) => /^\d+ other local hosts/.test(name)) &&
          names.some((name) => /^\d+ other hosts/.test(name)),
        names.join(),
      );
      const reached = names.find((name) => name.includes("(ChartMinBytes)"));
      assert.match(reached, /below 1\.00 TB \(ChartMinBytes\), [\d.]+ [kMG]B in all, sent [\d.]+ /);
    }
    await page.getByRole("button", { name: "Flows", exact: true }).click();
    await page
      .locator(".sankey .box", { hasText: /\d+ other local hosts/ })
      .first()
      .waitFor();
    await page.getByRole("button", { name: "Show as table" }).last().click();
    await page
      .locator(".graph-table tbody tr", { hasText: /\d+ other local hosts/ })
      .first()
      .waitFor();
    const from = requests.length;
    await page.getByRole("button", { name: "Show hosts below ChartMinBytes" }).click();
    await eventually(() => asked(requests, "graph", from).some((given) => given.get("min_bytes") === "0"), "all hosts");
    assert.match(page.url(), /fold=none/);
    await eventually(async () => (await page.locator(".graph-table tbody tr").count()) > 90, "their edges");
  }));

/** A place in the chart with nothing but the colour of local hosts around it. */
const middleOfHost = (page) =>
  page
    .locator(".canvases canvas")
    .first()
    .evaluate((canvas) => {
      const probe = document.body.appendChild(document.createElement("span"));
      probe.style.color = "var(--local-node)";
      const wanted = getComputedStyle(probe).color.match(/\d+/g).map(Number);
      probe.remove();
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      const is = (x, y) => wanted.every((value, index) => Math.abs(data[(y * width + x) * 4 + index] - value) <= 2);
      const reach = [-2, -1, 0, 1, 2];
      for (let y = 2; y < height - 2; y += 1) {
        for (let x = 2; x < width - 2; x += 1) {
          if (reach.every((dy) => reach.every((dx) => is(x + dx, y + dy))))
            return { x: (x * canvas.clientWidth) / width, y: (y * canvas.clientHeight) / height };
        }
      }
      return null;
    });

test("a pointer on a host shows its figures and a press filters by it", () =>
  withPage({ fragment: "#range=all" }, async (page) => {
    await page.locator('.force[data-placed="true"]').waitFor();
    const canvas = page.locator(".canvases");
    await page.waitForTimeout(3000);
    await canvas.scrollIntoViewIfNeeded();
    const box = await canvas.boundingBox();
    const spot = await middleOfHost(page);
    await page.mouse.move(box.x + spot.x, box.y + spot.y);
    await page.locator(".figures", { hasText: /peers? in the chart/ }).waitFor();
    await page.mouse.down();
    await page.mouse.up();
    await page.locator(".chip").first().waitFor();
  }));

test("the range is asked of the API, stands in the address, and the back button takes it back", () =>
  withPage({}, async (page, { requests }) => {
    const from = requests.length;
    await page.getByRole("button", { name: "5 min" }).click();
    await eventually(
      () => asked(requests, "hosts", from).some((given) => given.get("range") === "5m"),
      "a request for 5 minutes",
    );
    assert.match(page.url(), /#range=5m$/);
    await page.goBack();
    await eventually(
      async () =>
        (await page.getByRole("button", { name: "Live", exact: true }).getAttribute("aria-pressed")) === "true",
      "the last range",
    );
    await page.goForward();
    await eventually(
      async () => (await page.getByRole("button", { name: "5 min" }).getAttribute("aria-pressed")) === "true",
      "the next range",
    );
  }));

test("a shared address shows the same view", () =>
  withPage(
    { fragment: "#range=5m&filter=protocol%3Atcp&table=services&unit=bytes&chart=sankey" },
    async (page, { requests }) => {
      assert.equal(await page.locator(".chip").innerText(), "protocol:tcp ×");
      assert.equal(await page.getByRole("tab", { selected: true }).innerText(), "Services");
      await eventually(
        () =>
          asked(requests, "graph").some(
            (given) => given.get("range") === "5m" && given.get("filter") === "protocol:tcp",
          ),
        "the chart of the view",
      );
      assert.match(
        await page
          .locator(".top-rate")
          .first()
          .innerText()
          .catch(() => "0 B/s"),
        /B\/s$/,
      );
    },
  ));

test("rates are in bits or bytes", () =>
  withPage({}, async (page) => {
    const tile = page.locator(".tile.incoming .tile-rate");
    await eventually(async () => /bit\/s$/.test(await tile.innerText()), "bits");
    await page.getByRole("button", { name: "bytes", exact: true }).click();
    await eventually(async () => /B\/s$/.test(await tile.innerText()), "bytes");
  }));

test("a paused page asks for no figures and keeps those it has", () =>
  withPage({}, async (page, { requests }) => {
    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator(".pill", { hasText: /^Paused at/ }).waitFor();
    await page.waitForTimeout(1000);
    const before = await page.locator(".tiles").innerText();
    const from = requests.length;
    await page.waitForTimeout(7000);
    assert.equal(await page.locator(".tiles").innerText(), before);
    assert.deepEqual(
      ["hosts", "history", "graph"].flatMap((name) => asked(requests, name, from)),
      [],
    );
    await page.getByRole("button", { name: "Resume" }).click();
    await eventually(() => asked(requests, "hosts", from).length > 0, "new figures");
  }));

test("the chart fills the screen and leaves it again", () =>
  withPage({}, async (page) => {
    await page.getByRole("button", { name: "Full screen" }).click();
    await eventually(
      () => page.evaluate(() => document.fullscreenElement?.classList.contains("network") === true),
      "full screen",
    );
    await page.getByRole("button", { name: "Full screen" }).click();
    await eventually(() => page.evaluate(() => document.fullscreenElement === null), "the page");
  }));

test("nothing on the page jumps while figures arrive", () =>
  withPage({}, async (page) => {
    await page.addInitScript(() => {
      window.jumps = [];
      new PerformanceObserver((list) => {
        for (const { value, hadRecentInput, sources } of list.getEntries()) {
          if (!hadRecentInput)
            window.jumps.push({ value, of: sources.map(({ node }) => node?.className ?? node?.nodeName) });
        }
      }).observe({ type: "layout-shift", buffered: true });
    });
    await page.reload();
    await page.locator('.force[data-placed="true"]').waitFor();
    await page.waitForTimeout(8000);
    const jumps = await page.evaluate(() => window.jumps);
    const sum = jumps.reduce((all, { value }) => all + value, 0);
    // 0.1 is what web.dev calls good.
    assert.ok(sum < 0.02, JSON.stringify(jumps));
  }));

test("the theme is that of the system, or the one that was chosen", () =>
  withPage({ colorScheme: "dark" }, async (page) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const dark = await ground();
    await page.getByLabel("Theme").selectOption("light");
    const light = await ground();
    assert.notEqual(light, dark);
    await page.reload();
    await firstSnapshot(page);
    assert.equal(await ground(), light);
  }));

test("a phone of 360 pixels scrolls in one direction only", () =>
  withPage(
    { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, fragment: "#table=flows" },
    async (page) => {
      await page.locator(".tables tbody tr").first().waitFor();
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    },
  ));

const sumOf = ({ edges }) => edges.reduce((sum, edge) => sum + edge.bytes, 0);

/** Answers with traffic that the page has no row or edge for. */
const withUnlisted = (name, body) => {
  if (name === "graph") return { ...body, left_out: { edges: 3, bytes: sumOf(body), packets: 9 } };
  if (name === "hosts") return { ...body, other: { bytes: 5e9, packets: 5e6 } };
  if (name === "history" && body.unlisted_bytes_per_second !== null)
    return { ...body, unlisted_bytes_per_second: body.times.map((_, at) => (at === 0 ? 2e6 : 0)) };
  return body;
};

test("the chart and the list say what part of the traffic they have", () =>
  withPage({ fragment: "#range=all&chart=sankey", change: withUnlisted }, async (page) => {
    const foot = page.locator(".network .panel-foot", { hasText: /B of .*B drawn \(<?\d+ %\)/ });
    await foot.waitFor();
    assert.match(
      await foot.innerText(),
      /3 smaller edges are left out(, with traffic within “other”)?\. 5\.00 GB has no row of its own\./,
    );
    await page.locator(".top-hosts .panel-foot", { hasText: "5.00 GB more without a row of their own." }).waitFor();
    const sentence = await page.locator(".sankey svg > .svg-muted").first().textContent();
    const [, share] = /\(<?(\d+) %\)/.exec(sentence);
    assert.ok(Number(share) < 50, sentence);
  }));

test("with a filter, both charts and the list say what may match too", () =>
  withPage({ fragment: "#filter=protocol%3Atcp", change: withUnlisted }, async (page) => {
    await page.locator("#traffic-title", { hasText: "up to 16.0 Mbit/s more may match the filter" }).waitFor();
    await page.locator(".network .panel-foot", { hasText: "5.00 GB without a row may match the filter." }).waitFor();
    await page.locator(".top-hosts .panel-foot", { hasText: "may match the filter" }).waitFor();
  }));

test("over a capture file the foot has its name and the time of its packets", () => {
  const change = (name, body, request) => {
    if (name === "snapshot")
      return { ...body, mode: "file", interfaces: ["/tmp/day.pcap"], time: "2020-02-03T04:05:06.000Z" };
    if (name === "hosts" && request.url().endsWith("limit=1")) return { ...body, seconds: 60 };
    return body;
  };
  return withPage({ change, timezoneId: "UTC" }, async (page) => {
    const foot = page.locator("footer", { hasText: "from 2020-02-03 04:04:06 to 2020-02-03 04:05:06" });
    await foot.waitFor();
    assert.match(await foot.innerText(), /Capture file: \/tmp\/day\.pcap/);
    assert.doesNotMatch(await foot.innerText(), /since/);
  });
});

test("the links of the foot lead to what they say", () =>
  withPage({}, async (page) => {
    for (const [name, path] of [
      ["Active alerts (JSON)", "/active"],
      ["All alerts (JSON)", "/api/v1/alerts"],
    ]) {
      const address = await page.getByRole("link", { name }).evaluate((link) => link.href);
      assert.equal(new URL(address).pathname, path);
      assert.match((await fetch(address)).headers.get("content-type"), /json/);
    }
  }));

test("the legends of the charts are whole on a phone", () => {
  const change = (name, body) => (name === "history" ? { ...body, dropped: body.times.map(() => 1234) } : body);
  return withPage({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, change }, async (page) => {
    await page.locator(".plots figcaption", { hasText: "1,234 packets dropped" }).first().waitFor();
    const isCut = (one) => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1;
    const boxes = await page.locator(".plots .legend, .plots figcaption").all();
    assert.equal(boxes.length, 4);
    for (const box of boxes) assert.equal(await box.evaluate(isCut), false, await box.innerText());
  });
});

test("a chart that is shown as a table is so in the address, and follows it", () =>
  withPage({ fragment: "#network=table" }, async (page) => {
    const button = page.locator(".network").getByRole("button", { name: "Show as table" });
    await page.locator(".graph-table").waitFor();
    assert.equal(await button.getAttribute("aria-pressed"), "true");
    await page.locator(".traffic").getByRole("button", { name: "Show as table" }).click();
    await page.locator(".history-table").first().waitFor();
    assert.match(page.url(), /network=table&traffic=table/);
    await page.evaluate(() => (location.hash = ""));
    await page.locator(".force").waitFor();
    assert.equal(await page.locator(".graph-table, .history-table").count(), 0);
    await page.goBack();
    await page.locator(".graph-table").waitFor();
    await page.locator(".history-table").first().waitFor();
  }));
