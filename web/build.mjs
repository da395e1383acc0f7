// Builds the page into a folder (default: dist), or the unit tests into build/unit.
//
//   node build.mjs [FOLDER]
//   node build.mjs --unit

import { build } from "esbuild";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const HERE = dirname(fileURLToPath(import.meta.url));
// The script and the style sheet, gzipped together.
const LARGEST_BYTES = 150 * 1024;

const common = {
  absWorkingDir: HERE,
  bundle: true,
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
  target: "es2022",
};

/** The folder of the npm package that holds the file, or null for a file of our own. */
function packageOf(file) {
  const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file);
  return found && found[1];
}

/** The licences of the packages in the bundle, as one text. */
function licences(inputs) {
  const names = [...new Set(inputs.map(packageOf).filter((name) => name !== null))].sort();
  const parts = names.map((name) => {
    const folder = join(HERE, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name}: the package has no licence file`);
    const text = readFileSync(join(folder, file), "utf8").replace(/\r\n/g, "\n").trimEnd();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  const title = "The dashboard contains these libraries.\n";
  return [title, ...parts].join(`\n${"-".repeat(80)}\n\n`);
}

async function buildPage(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
    ...common,
    entryPoints: { app: "src/main.tsx" },
    outdir: folder,
    format: "iife",
    legalComments: "none",
    metafile: true,
    minify: true,
  });
  for (const name of ["index.html", "icon.svg"]) copyFileSync(join(HERE, "src", name), join(folder, name));
  writeFileSync(join(folder, "LICENSES.txt"), licences(Object.keys(metafile.inputs)));
  const sizes = ["app.js", "app.css"].map((name) => gzipSync(readFileSync(join(folder, name)), { level: 9 }).length);
  const sum = sizes[0] + sizes[1];
  console.log(`app.js ${sizes[0]} + app.css ${sizes[1]} = ${sum} bytes gzipped (limit ${LARGEST_BYTES})`);
  if (sum > LARGEST_BYTES) throw new Error("the bundle is over its limit");
}

async function buildUnitTests() {
  const tests = readdirSync(join(HERE, "unit")).filter((name) => name.endsWith(".test.ts"));
  rmSync(join(HERE, "build/unit"), { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: tests.map((name) => `unit/${name}`),
    outdir: "build/unit",
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
    sourcemap: "inline",
  });
}

if (process.argv[2] === "--unit") await buildUnitTests();
else await buildPage(process.argv[2] ?? join(HERE, "dist"));
