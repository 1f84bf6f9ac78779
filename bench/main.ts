/**
 * Runs the benchmark: `npm run bench [-- FILTER] [-- --gate] [-- --save]`.
 *
 * FILTER is a regular expression over case names. `--gate` exits 1 when a ratio is worse than its target by more than
 * noise explains. `--save` writes bench/results.json and the table in the README that is made from it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { corpus } from "./corpus.js";
import { measure, type Result } from "./measure.js";
import { insertTable, table } from "./table.js";

/** A shared machine moves ratios by this much between runs of the same code. */
const NOISE = 1.35;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { gate: { type: "boolean", default: false }, save: { type: "boolean", default: false } },
});
const filter = new RegExp(positionals[0] ?? "");
const results: Record<string, Result> = {};
const failures: string[] = [];

for (const [name, one] of Object.entries(corpus)) {
  if (!filter.test(name)) continue;
  const result = await measure(one, values.save ? 15 : 7, 60);
  results[name] = result;
  const columns = Object.entries(result.ratios).map(([subject, ratio]) => {
    const target = one.targets[subject];
    if (target !== undefined && ratio > target * NOISE)
      failures.push(`${name}: ${ratio.toFixed(2)}× ${subject}, promised ${target.toFixed(2)}×`);
    const mark = target === undefined ? "" : ratio <= target ? " ok" : ` (promised ${target.toFixed(2)})`;
    return `${ratio.toFixed(2)}× ${subject}${mark}`;
  });
  process.stdout.write(
    `${name.padEnd(32)} ${(result.nanoseconds["virtwire"] ?? 0).toFixed(1).padStart(10)} ns  ${columns.join(", ")}\n`,
  );
}

if (values.save) {
  const root = new URL("../", import.meta.url);
  writeFileSync(new URL("bench/results.json", root), `${JSON.stringify(results, undefined, 2)}\n`);
  const readme = new URL("README.md", root);
  writeFileSync(readme, insertTable(readFileSync(readme, "utf8"), table(results)));
}
for (const failure of failures) process.stderr.write(`slower than promised: ${failure}\n`);
if (values.gate && failures.length > 0) process.exitCode = 1;
