// Loads the built package the way its users do, and reads the built files for what loading cannot show.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import ts from "typescript";
import { subpaths } from "./subpaths.mjs";

const require = createRequire(import.meta.url);
const root = new URL("../", import.meta.url);
const { name, exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

/** What only the schema compiler and the command line may reach. */
const compilers = ["./schema", "./codegen"];
const compilerOnly = /chevrotain|citty/i;
/** A plugin runs the compiler inside a bundler, on Node. */
const isPlugin = (subpath) => subpath.startsWith("./plugin/");
/** What is not for browsers. */
const needsNode = (subpath) => isPlugin(subpath) || subpath === "./vhost-user";

const problems = [];
const all = subpaths();

// A build without generated modules would pass every other check.
for (const pattern of Object.keys(exports).filter((key) => key.endsWith("/*") && exports[key].import)) {
  if (!all.some((subpath) => subpath.startsWith(pattern.slice(0, -1))))
    problems.push(`${pattern} matches no built file`);
}

// A second copy of the runtime in some chunk would make `instanceof WireError` false for the errors that it throws. The
// command line has one of its own, which no import reaches.
for (const condition of ["import", "require"]) {
  const reached = all.flatMap((subpath) => [...reach(fileOf(subpath, condition, "default"))]);
  const copies = new Set(
    reached
      .filter(({ text }) => /class WireError\b|\bWireError ?= ?class\b/.test(text))
      .map(({ path }) => path),
  );
  if (copies.size !== 1) problems.push(`WireError is defined in ${copies.size} files: ${[...copies]}`);
}

for (const subpath of all) {
  const specifier = name + subpath.slice(1);
  const esm = Object.keys(await import(specifier))
    .sort()
    .join();
  const cjs = Object.keys(require(specifier)).sort().join();
  if (esm !== cjs) problems.push(`${subpath}: ESM exports ${esm}, CJS exports ${cjs}`);

  for (const condition of ["import", "require"]) {
    for (const kind of ["default", "types"]) {
      for (const { path, text, imports } of reach(fileOf(subpath, condition, kind))) {
        for (const specifier of imports.filter((s) => s.startsWith("node:") && !needsNode(subpath))) {
          problems.push(`${subpath} reaches ${path}, which imports ${specifier}`);
        }
        // Declarations may not lean on the parser library at all. Code may, in the compiler only; there its text is
        // searched, because the CJS build has the library inlined.
        const leak =
          kind === "types"
            ? imports.find((s) => compilerOnly.test(s))
            : compilers.includes(subpath) || isPlugin(subpath)
              ? undefined
              : compilerOnly.exec(text)?.[0];
        if (leak !== undefined) problems.push(`${subpath} reaches ${path}, which contains ${leak}`);
      }
    }
  }
}

const distinct = new Set(problems);
for (const problem of distinct) console.error(problem);
console.log(`check-dist: ${all.length} entry points, ${distinct.size} problems`);
process.exit(distinct.size === 0 ? 0 : 1);

/** The file that a subpath resolves to under one condition of the `exports` map. */
function fileOf(subpath, condition, kind) {
  const key = exports[subpath] ? subpath : `${subpath.slice(0, subpath.indexOf("/", 2))}/*`;
  return new URL(exports[key][condition][kind].replace("*", subpath.slice(key.length - 1)), root);
}

/** A built file and everything that it imports by a relative path. */
function reach(start) {
  const files = new Map();
  const visit = (url) => {
    if (files.has(url.href)) return;
    const text = readFileSync(url, "utf8");
    const imports = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
    files.set(url.href, { path: url.pathname.slice(root.pathname.length), text, imports });
    // A declaration imports "./chunk.js" and means the declaration beside it.
    const isTypes = /\.d\.c?ts$/.test(url.pathname);
    for (const specifier of imports.filter((s) => s.startsWith("."))) {
      visit(new URL(isTypes ? specifier.replace(/\.(c?)js$/, ".d.$1ts") : specifier, url));
    }
  };
  visit(start);
  return files.values();
}
