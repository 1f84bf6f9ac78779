import { readdirSync, readFileSync } from "node:fs";

const root = new URL("../", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

/** The paths under dist/ that end in `extension`. */
function built(extension) {
  return readdirSync(new URL("dist", root), { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(extension),
  );
}

/**
 * Every module that a user of the built package can import, with the patterns of the `exports` map expanded over
 * what dist/ holds: ".", "./runtime", "./virtio/device-context", …
 */
export function subpaths() {
  return Object.entries(exports).flatMap(([subpath, target]) => {
    const file = target.import?.default;
    if (file === undefined) return []; // schemas and package.json are not modules
    if (!subpath.includes("*")) return [subpath];
    const [before, after] = file.slice("./dist/".length).split("*");
    return built(after)
      .filter((path) => path.startsWith(before))
      .map((path) => subpath.replace("*", path.slice(before.length, -after.length)));
  });
}
