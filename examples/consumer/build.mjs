// One program in three forms: two for Node, which import virtwire when they run, and one for browsers, which contains the
// codecs that it uses and no others.
import { build } from "esbuild";

const node = { platform: "node", bundle: true, packages: "external", target: "node20" };

await Promise.all([
  build({ ...node, entryPoints: ["src/main.ts"], format: "esm", outfile: "dist/main.js" }),
  build({ ...node, entryPoints: ["src/main.ts"], format: "cjs", outfile: "dist/main.cjs" }),
  build({
    entryPoints: ["src/main.ts"],
    platform: "browser",
    bundle: true,
    minify: true,
    target: "es2022",
    format: "iife",
    outfile: "dist/browser.js",
  }),
]);
