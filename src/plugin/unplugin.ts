/** One plugin for every bundler: generates codecs when a build starts, and again when a schema changes. */
import { sep } from "node:path";
import { createUnplugin } from "unplugin";
import type { ViteDevServer } from "vite";
import { setUpEsbuild } from "./esbuild-setup.js";
import { Generation, type PluginOptions, SchemaError } from "./generation.js";

const name = "virtwire";

export const unplugin = createUnplugin<PluginOptions, false>((options, { framework }) => {
  const generation = new Generation(options);
  if (framework === "esbuild")
    return { name, esbuild: { setup: (build) => setUpEsbuild(build, generation) } };
  return {
    name,
    buildStart() {
      const { watched, mistakes } = generation.update();
      for (const file of watched) this.addWatchFile(file);
      if (mistakes.length === 0) return;
      const error = new SchemaError(mistakes);
      const native = this.getNativeBuildContext?.();
      // An exception would end webpack's watching, and with it the chance to put the schema right.
      if (native?.framework !== "webpack" || native.compilation === undefined) throw error;
      native.compilation.errors.push(new native.compiler.webpack.WebpackError(error.message));
    },
    vite: { configureServer: (server) => follow(server, generation) },
  };
});

/** A server of Vite starts once; what changes later is its watcher's to tell. The pages follow the generated files. */
function follow({ watcher, config }: ViteDevServer, generation: Generation): void {
  watcher.add(generation.schemas);
  watcher.on("all", (_, path) => {
    if (!path.endsWith(".wire") || !path.startsWith(generation.schemas + sep)) return;
    try {
      const { mistakes } = generation.update();
      if (mistakes.length > 0) config.logger.error(new SchemaError(mistakes).message);
    } catch (error) {
      config.logger.error(String(error));
    }
  });
}
