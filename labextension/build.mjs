// Bundles what the browser gets; with --tests the tests instead, for Node's own runner.
//
// Each entry below is one bundle. The JupyterLab panel becomes another one here: it shares src/run.ts and src/view/.
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const options = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  logLevel: "info",
  legalComments: "none",
};

const widget = {
  ...options,
  entryPoints: [
    { in: "src/widget.ts", out: "widget" },
    { in: "src/style/widget.css", out: "widget" },
  ],
  outdir: "../notebook_flows/widget/static",
  minify: true,
};

function tests() {
  const names = readdirSync(join(here, "test")).filter((name) => name.endsWith(".test.ts"));
  rmSync(join(here, "build"), { recursive: true, force: true });
  return {
    ...options,
    entryPoints: names.map((name) => `test/${name}`),
    outdir: "build/test",
    outExtension: { ".js": ".mjs" },
    platform: "node",
    external: ["jsdom", "node:*"],
    loader: { ".css": "text" },
    sourcemap: "inline",
    logLevel: "warning",
  };
}

if (process.argv.includes("--tests")) {
  await esbuild.build(tests());
} else if (process.argv.includes("--watch")) {
  await (await esbuild.context({ ...widget, minify: false, sourcemap: "inline" })).watch();
} else {
  await esbuild.build(widget);
}
