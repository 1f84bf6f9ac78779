/** The bundlers as their users call them, brought to one form: build once, or build whenever something changes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type BuildFailure,
  type BuildOptions,
  context,
  type Plugin as EsbuildPlugin,
  build as esbuild,
  type Message,
  transformSync,
} from "esbuild";
import { type RollupOptions, rollup, watch as rollupWatch } from "rollup";
import { type InlineConfig, build as vite } from "vite";
import webpack, { type Configuration, type Stats } from "webpack";
import { virtwire as forEsbuild } from "../../src/plugin/esbuild.js";
import type { PluginOptions } from "../../src/plugin/generation.js";
import { virtwire as forRollup } from "../../src/plugin/rollup.js";
import { virtwire as forVite } from "../../src/plugin/vite.js";
import { virtwire as forWebpack } from "../../src/plugin/webpack.js";

/** A built program, or what the bundler says about a build that failed. */
export type Result = { readonly code: string } | { readonly error: string };

export interface Bundler {
  readonly build: (folder: string) => Promise<Result>;
  /** Gives a function that stops it. */
  readonly watch: (folder: string, built: (result: Result) => void) => Promise<() => Promise<void>>;
}

const LOADER = fileURLToPath(new URL("./typescript-loader.cjs", import.meta.url));

export function pluginOptions(folder: string): PluginOptions {
  return { schemas: join(folder, "schemas"), out: join(folder, "src", "generated") };
}

const output = (folder: string): string => join(folder, "dist", "main.js");
const built = (folder: string): Result => ({ code: readFileSync(output(folder), "utf8") });
const failed = (error: unknown): Result => ({
  error: error instanceof Error ? error.message : String(error),
});

function viteConfig(folder: string): InlineConfig {
  return {
    configFile: false,
    root: folder,
    logLevel: "silent",
    plugins: [forVite(pluginOptions(folder))],
    build: {
      rolldownOptions: {
        input: join(folder, "src", "main.js"),
        output: { format: "iife", entryFileNames: "main.js" },
      },
    },
  };
}

function rollupConfig(folder: string): RollupOptions {
  const runtime = join(folder, "node_modules", "virtwire", "runtime.js");
  return {
    input: join(folder, "src", "main.js"),
    plugins: [
      forRollup(pluginOptions(folder)),
      {
        name: "what a project has anyway: resolving packages, taking types out",
        resolveId: (id) => (id === "virtwire/runtime" ? runtime : null),
        transform: (code, id) => (id.endsWith(".ts") ? transformSync(code, { loader: "ts" }).code : null),
      },
    ],
    output: { file: output(folder), format: "iife" },
  };
}

function esbuildOptions(folder: string, plugins: EsbuildPlugin[] = []): BuildOptions {
  return {
    entryPoints: [join(folder, "src", "main.js")],
    bundle: true,
    outfile: output(folder),
    logLevel: "silent",
    plugins: [forEsbuild(pluginOptions(folder)), ...plugins],
  };
}

/** In esbuild, columns begin at 0; the terminal of its users shows them so. */
function esbuildResult(folder: string, [first]: readonly Message[]): Result {
  if (!first) return built(folder);
  const { file, line, column } = first.location ?? { file: "", line: 0, column: 0 };
  return { error: `${file}:${line}:${column + 1}: error: ${first.text}` };
}

function webpackConfig(folder: string): Configuration {
  return {
    context: folder,
    mode: "development",
    devtool: false,
    entry: join(folder, "src", "main.js"),
    output: { path: join(folder, "dist"), filename: "main.js" },
    module: { rules: [{ test: /\.ts$/, use: LOADER }] },
    plugins: [forWebpack(pluginOptions(folder))],
  };
}

function webpackResult(folder: string, error: Error | null, stats: Stats | undefined): Result {
  if (error) return failed(error);
  const { errors = [] } = stats?.toJson({ all: false, errors: true }) ?? {};
  return errors.length === 0 ? built(folder) : { error: errors.map(({ message }) => message).join("\n") };
}

export const bundlers: Readonly<Record<string, Bundler>> = {
  vite: {
    build: (folder) => vite(viteConfig(folder)).then(() => built(folder), failed),
    watch: async (folder, report) => {
      const config = viteConfig(folder);
      const watcher = await vite({ ...config, build: { ...config.build, watch: {} } });
      if (!("on" in watcher)) throw new Error("vite does not watch");
      watcher.on("event", (event) => {
        if (event.code === "BUNDLE_END") report(built(folder));
        else if (event.code === "ERROR") report(failed(event.error));
      });
      return () => watcher.close();
    },
  },
  rollup: {
    build: async (folder) => {
      try {
        const bundle = await rollup(rollupConfig(folder));
        await bundle.write({ file: output(folder), format: "iife" });
        return built(folder);
      } catch (error) {
        return failed(error);
      }
    },
    watch: (folder, report) => {
      const watcher = rollupWatch(rollupConfig(folder));
      watcher.on("event", (event) => {
        if (event.code === "BUNDLE_END") report(built(folder));
        else if (event.code === "ERROR") report(failed(event.error));
      });
      return Promise.resolve(() => watcher.close());
    },
  },
  esbuild: {
    build: (folder) =>
      esbuild(esbuildOptions(folder)).then(
        () => built(folder),
        ({ errors }: BuildFailure) => esbuildResult(folder, errors),
      ),
    watch: async (folder, report) => {
      const watching = await context(
        esbuildOptions(folder, [
          {
            name: "report",
            setup: ({ onEnd }) => onEnd(({ errors }) => report(esbuildResult(folder, errors))),
          },
        ]),
      );
      await watching.watch();
      return () => watching.dispose();
    },
  },
  webpack: {
    build: (folder) =>
      new Promise((resolve) => {
        webpack(webpackConfig(folder), (error, stats) => resolve(webpackResult(folder, error, stats)));
      }),
    watch: (folder, report) => {
      const watching = webpack(webpackConfig(folder))?.watch({ aggregateTimeout: 20 }, (error, stats) =>
        report(webpackResult(folder, error, stats ?? undefined)),
      );
      return Promise.resolve(
        () => new Promise((resolve) => (watching ? watching.close(() => resolve()) : resolve())),
      );
    },
  },
};
