import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { subpaths } from "./subpaths.mjs";

// attw does not expand the patterns of the `exports` map, so it is told every entry point by name. Resolution without
// `exports` (TypeScript's "node10") cannot see subpaths at all, hence the node16 profile.
const attw = fileURLToPath(new URL("../node_modules/.bin/attw", import.meta.url));
const args = [
  "--pack",
  ".",
  "--profile",
  "node16",
  "--format",
  "table-flipped",
  "--entrypoints",
  ...subpaths(),
];
const { status, error } = spawnSync(attw, args, { stdio: "inherit" });
if (error !== undefined) throw error;
process.exit(status ?? 1);
