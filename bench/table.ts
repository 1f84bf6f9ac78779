/** The table of results in the README, made from bench/results.json so that no number in it is typed by hand. */
import type { Result } from "./measure.js";

const BEGIN = "<!-- bench:begin -->";
const END = "<!-- bench:end -->";

export function table(results: Readonly<Record<string, Result>>): string {
  const subjects = ["hand", "hand, unchecked", "binary-parser", "typed-binary"];
  const rows = Object.entries(results).map(([name, { nanoseconds, ratios }]) => {
    const cells = subjects.map((subject) => {
      const ratio = ratios[subject];
      return ratio === undefined ? "" : `${ratio.toFixed(2)}×`;
    });
    return `| ${[name, (nanoseconds["virtwire"] ?? 0).toFixed(0), ...cells].join(" | ")} |`;
  });
  const head = ["case", "virtwire, ns", ...subjects.map((subject) => `of ${subject}`)];
  return [
    `| ${head.join(" | ")} |`,
    `|---|${head
      .slice(1)
      .map(() => "---:|")
      .join("")}`,
    ...rows,
  ].join("\n");
}

export function insertTable(readme: string, made: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("README.md has no place for the table of results");
  return `${readme.slice(0, begin + BEGIN.length)}\n${made}\n${readme.slice(end)}`;
}
