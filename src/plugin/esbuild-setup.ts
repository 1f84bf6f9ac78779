/** The plugin in esbuild, which has no hook of its own kind for what unplugin calls the start of a build. */
import { readFile } from "node:fs/promises";
import { sep } from "node:path";
import type { PartialMessage, PluginBuild } from "esbuild";
import type { Generation, Mistake } from "./generation.js";

export function setUpEsbuild(build: PluginBuild, generation: Generation): void {
  let watched: readonly string[] = [];
  build.onStart(() => {
    const { watched: schemas, mistakes } = generation.update();
    watched = schemas;
    return { errors: mistakes.map(messageOf) };
  });
  // esbuild watches what the modules of a bundle are made of, so the generated ones have to say.
  build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
    if (!path.startsWith(generation.out + sep)) return undefined;
    return { contents: await readFile(path), loader: "ts", watchFiles: [path, ...watched] };
  });
}

function messageOf({ file, line, column, message }: Mistake): PartialMessage {
  return { text: message, location: { file, line, column: column - 1 } };
}
