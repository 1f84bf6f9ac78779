/** Compares schema texts and says in a line a change what came out. */
import { type Comparison, compare, type Finding, profileByName } from "../../src/compat/index.js";
import { compile, type Program } from "../../src/schema/index.js";
import { refuted } from "./generated.js";

function compiled(text: string): Program {
  const { program, diagnostics } = compile([{ file: "versions.wire", text }]);
  if (program === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return program;
}

export function compared(old: string, now: string, name = "wire"): Comparison {
  const profile = profileByName(name);
  if (profile === undefined) throw new Error(`no profile ${name}`);
  return compare(compiled(old), compiled(now), profile);
}

/** `RULE MEMBERS OLD-READERS OLD-DATA` */
export function summary({ rule, change, oldReaders, oldData }: Finding): string {
  const members = /^`[^`]*`(?: → `[^`]*`)?/.exec(change.detail)?.[0] ?? change.detail;
  return `${rule} ${members} ${oldReaders.kind} ${oldData.kind}`;
}

/** What generated code has to say against the witnesses. */
export async function refutations({ findings }: Comparison, old: string, now: string): Promise<string[]> {
  const refutations: string[] = [];
  for (const finding of findings) {
    for (const side of ["oldReaders", "oldData"] as const) {
      const verdict = finding[side];
      if (verdict.kind !== "breaks") continue;
      const why = await refuted(verdict.witness, side, old, now);
      if (why !== undefined)
        refutations.push(`${summary(finding)}, ${verdict.witness.disagreement.text}: ${why}`);
    }
  }
  return refutations;
}
