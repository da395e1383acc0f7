// Keyboard and axe.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { alert, withAlerts } from "./alerts.mjs";
import { eventually, withPage } from "./browser.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** All findings of axe, of any impact. */
async function findings(page) {
  // The page's own policy forbids scripts of others: this one is put in past it.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }),
  );
  return violations.map(
    ({ id, impact, nodes }) =>
      `${impact} ${id}: ${nodes
        .slice(0, 3)
        .map((node) => `${node.target.join(" ")} (${node.any[0]?.message ?? ""})`)
        .join(", ")}`,
  );
}

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing in the ${colorScheme} theme`, () =>
    withPage(
      {
        colorScheme,
        reducedMotion: "reduce",
        fragment: "#range=all&table=services",
        change: withAlerts({
          active: [
            alert(),
            alert({ fingerprint: "1", severity: "critical" }),
            alert({ fingerprint: "2", severity: "info" }),
          ],
          resolved: [],
        }),
      },
      async (page) => {
        await page.locator(".firing").first().click();
        await page.locator(".card-body").waitFor();
        await page.getByRole("button", { name: "Checks" }).click();
        await page.locator(".checks li").first().waitFor();
        await page.locator(".tables tbody tr").first().waitFor();
        await page.locator(".force").waitFor();
        assert.deepEqual(await findings(page), []);
        for (const button of await page.getByRole("button", { name: "Show as table" }).all()) await button.click();
        await page.locator("#tab-protocols").click();
        await page.getByRole("combobox", { name: "Filter" }).fill("1");
        await page.locator(".suggestions [role=option]").first().waitFor();
        await page.keyboard.press("ArrowDown");
        assert.deepEqual(await findings(page), []);
      },
    ));
}

test("axe finds nothing on a phone with the flow view and a filter", () =>
  withPage(
    { viewport: { width: 390, height: 844 }, fragment: "#range=all&chart=sankey&table=pairs&filter=-port%3A1" },
    async (page) => {
      await page.locator(".box").first().waitFor({ state: "attached" });
      await page.locator(".tables").scrollIntoViewIfNeeded();
      await page.locator(".tables tbody tr").first().waitFor();
      assert.deepEqual(await findings(page), []);
    },
  ));

test("the tabulator reaches every control, and the focus is seen on each", () =>
  withPage({ fragment: "#range=all" }, async (page) => {
    await page.locator(".force[data-placed=true]").waitFor();
    // Rows that come and go would change the controls on the way.
    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator(".tables").scrollIntoViewIfNeeded();
    await page.locator(".tables tbody tr").first().waitFor();
    await page.evaluate(() => {
      document.activeElement?.blur();
      scrollTo(0, 0);
    });
    const controls = await page.evaluate(() => {
      const all = [...document.querySelectorAll("a[href], button, input, select, [tabindex]")];
      const reachable = all.filter(
        (element) => element.tabIndex >= 0 && !element.disabled && element.checkVisibility(),
      );
      reachable.forEach((element, index) => (element.dataset.control = String(index)));
      return reachable.length;
    });
    const reached = new Set();
    for (let step = 0; step < controls + 20; step += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        // The chart draws the focus of its hosts; the box around the filter draws that of its text.
        const shows =
          element.closest(".unseen") !== null ||
          element.matches(".filter input") ||
          getComputedStyle(element).outlineStyle !== "none";
        return { control: element.dataset?.control, shows, name: element.outerHTML.slice(0, 90) };
      });
      if (at.control === undefined) continue;
      assert.ok(at.shows, `no focus is seen on ${at.name}`);
      reached.add(at.control);
    }
    assert.equal(reached.size, controls);
  }));

test("the keyboard alone skips to the figures, moves in the chart and filters by it", () =>
  withPage({ fragment: "#range=all" }, async (page) => {
    await page.locator(".force[data-placed=true]").waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "figures");
    await page.locator('.force .unseen button[tabindex="0"]').focus();
    const name = () => page.evaluate(() => document.activeElement.getAttribute("aria-label"));
    const first = await name();
    assert.match(first, /sent .*, received .*peer/);
    await page.locator(".figures").waitFor();
    const seen = new Set([first]);
    for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "End"]) {
      await page.keyboard.press(key);
      seen.add(await name());
    }
    assert.ok(seen.size > 1, "the arrow keys move");
    assert.equal(await page.locator('.force .unseen button[tabindex="0"]').count(), 1);
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await page.locator(".chip").waitFor();
  }));

test("the keyboard alone changes tables, sorts them and opens an alert", () =>
  withPage({ fragment: "#range=all", change: withAlerts({ active: [alert()], resolved: [] }) }, async (page) => {
    await page.locator("#tab-hosts").focus();
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.evaluate(() => document.activeElement.id), "tab-devices");
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("columnheader", { name: "Sent" }).getByRole("button").focus();
    await page.keyboard.press("Enter");
    await eventually(() => page.url().includes("sort=sent_bytes"), "sorted");
    await page.locator(".firing").first().focus();
    await page.keyboard.press("Enter");
    await page.locator(".card-body").waitFor();
    await eventually(
      () => page.evaluate(() => document.activeElement.classList.contains("card-head")),
      "the focus on the alert",
    );
  }));

/** The number of drawings of the chart in 3 s from the first answer on. */
async function drawings(reducedMotion) {
  let count;
  await withPage({ reducedMotion, fragment: "#range=all" }, async (page) => {
    await page.addInitScript(() => {
      window.drawings = 0;
      const { clearRect } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.clearRect = function (...box) {
        if (this.canvas.matches(".canvases canvas:first-child")) window.drawings += 1;
        return clearRect.apply(this, box);
      };
    });
    await page.reload();
    await page.locator(".force[data-placed=true]").waitFor();
    await page.waitForTimeout(3000);
    count = await page.evaluate(() => window.drawings);
  });
  return count;
}

test("with reduced motion the chart does not move", async () => {
  const [still, moving] = [await drawings("reduce"), await drawings("no-preference")];
  // One drawing for each answer and each change of size.
  assert.ok(still >= 1 && still <= 5, `${still} drawings`);
  assert.ok(moving > still, `${moving} drawings where motion is welcome`);
});
