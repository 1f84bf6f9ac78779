/** Adds to the summary of a capture what it was wrapped in. */
import { verdictOf } from "../../inspect/fault-text.js";
import { FaultList, type Summary } from "../../inspect/report.js";
import type { Input } from "../input.js";

export function withWrappers(summary: Summary, { wrappers, damage }: Input): Summary {
  if (wrappers.length === 0) return summary;
  const kinds = wrappers.map(({ kind }) => kind);
  const facts = [
    { key: "wrappers", label: "inside", value: kinds, text: kinds.join(" › ") },
    ...wrappers.flatMap((wrapper) => wrapper.facts),
    ...summary.facts,
  ];
  const notes = ["offsets are those of what is inside", ...summary.notes];
  if (damage === undefined) return { ...summary, facts, notes };
  const faults = new FaultList();
  for (const fault of [...summary.faults, damage]) faults.add(fault);
  const verdict = verdictOf(faults, summary.verdict);
  return {
    ...summary,
    facts,
    notes,
    faults: faults.faults,
    faultCount: summary.faultCount + 1,
    verdict,
  };
}
