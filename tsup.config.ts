import { readdirSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

/** Output name → source: `dist/schema.js` is what `virtwire/schema` resolves to. */
const entry: Record<string, string> = {
  index: "src/index.ts",
  runtime: "src/runtime/index.ts",
  schema: "src/schema/index.ts",
  codegen: "src/codegen/index.ts",
  compat: "src/compat/index.ts",
  streams: "src/streams/index.ts",
  device: "src/device/index.ts",
  inspect: "src/inspect/index.ts",
  "vhost-user": "src/vhost-user/index.ts",
  ...Object.fromEntries(
    ["vite", "rollup", "esbuild", "webpack"].map((bundler) => [
      `plugin/${bundler}`,
      `src/plugin/${bundler}.ts`,
    ]),
  ),
  // `generated/virtio/device-context.ts` → `virtwire/virtio/device-context`. Node 20 has no fs.globSync.
  ...Object.fromEntries(
    readdirSync("generated", { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .map((path) => path.replaceAll("\\", "/").slice(0, -".ts".length))
      .map((name) => [name, `generated/${name}.ts`]),
  ),
};

const shared = {
  // Native and optional: tsup leaves only what a package must have to the package manager.
  external: ["koffi"],
  // Shared chunks in both formats: the runtime is one module instance, so `instanceof WireError` holds whichever
  // subpath threw the error.
  splitting: true,
  // Codecs run in browsers too, so the output may not lean on Node's newer syntax.
  target: "es2022",
  // A specifier such as "node:fs" stays as it is written; tsup would strip the prefix.
  removeNodeProtocol: false,
  // Three configurations write into one folder: `npm run build` empties it, none of them.
  clean: false,
} satisfies Options;

// tsup's declaration build sets baseUrl, which TypeScript 6 refuses without this.
const compilerOptions = { ignoreDeprecations: "6.0" };

export default defineConfig([
  {
    ...shared,
    format: "esm",
    entry,
    dts: { compilerOptions },
  },
  {
    ...shared,
    // What a shell runs needs no second format.
    format: "esm",
    // On its own: chunks shared with the library hold all that a module exports, and half the time that a small capture
    // takes is spent on reading them. Names stay, for the stacks of internal errors.
    entry: { cli: "src/cli/main.ts" },
    minifyWhitespace: true,
    minifySyntax: true,
  },
  {
    ...shared,
    format: "cjs",
    entry,
    dts: { compilerOptions },
    // With splitting alone, tsup turns chunks into CommonJS with sucrase, which also lowers `??` and class statics to
    // helpers and closures, inside decoders too. With treeshake, Rollup does it and leaves the syntax as it was.
    treeshake: true,
    // chevrotain is published as ESM only, and require() of ESM needs Node 20.19: the CJS build carries its own copy.
    noExternal: ["chevrotain"],
  },
]);
