// Pictures of the page for the documents: light, dark and a phone.
//
//   TM_URL=http://127.0.0.1:8888 node tests/pictures.mjs FOLDER

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { close, EXPORTER, launch } from "./browser.mjs";

const folder = process.argv[2];
if (folder === undefined) throw new Error("usage: pictures.mjs FOLDER");

const PICTURES = [
  { name: "light", fragment: "#range=5m", colorScheme: "light", viewport: { width: 1440, height: 900 } },
  { name: "dark", fragment: "#range=5m&chart=sankey", colorScheme: "dark", viewport: { width: 1440, height: 900 } },
  {
    name: "phone",
    fragment: "#range=5m",
    colorScheme: "light",
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
];

/** A fifth of the bytes of PNG, and letters stay sharp. */
const QUALITY = 0.9;

/** The picture as WebP. */
async function asWebp(page, png) {
  const address = await page.evaluate(
    async ([source, quality]) => {
      const image = new Image();
      image.src = source;
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      canvas.getContext("2d").drawImage(image, 0, 0);
      return canvas.toDataURL("image/webp", quality);
    },
    [`data:image/png;base64,${png.toString("base64")}`, QUALITY],
  );
  return Buffer.from(address.split(",")[1], "base64");
}

/** The layout of the chart has come to rest. */
const REST = 6_000;

const browser = await launch();
for (const { name, fragment, ...options } of PICTURES) {
  const page = await browser.newPage({ ...options, reducedMotion: "reduce" });
  await page.goto(`${EXPORTER}/dashboard${fragment}`);
  await page.locator(".top-host").first().waitFor();
  await page.waitForTimeout(REST);
  const path = join(folder, `dashboard-${name}.webp`);
  await writeFile(path, await asWebp(page, await page.screenshot()));
  await page.close();
  console.log(path);
}
await close();
