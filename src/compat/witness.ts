/** Looks for messages that two versions of a struct read differently, by writing with one and reading with the other. */
import type { Struct } from "../schema/ir.js";
import { type Disagreement, disagreements } from "./agree.js";
import { mentionedIntegers, SeededChoices } from "./choices.js";
import { compose } from "./compose.js";
import { interpret } from "./interpret.js";
import { type Arguments, isChoice, type Reading } from "./reading.js";

/** Who breaks: old readers, of what the new version writes; or old data, in the hands of new readers. */
export type Side = "oldReaders" | "oldData";

/** A message that one version wrote and the other does not understand. */
export interface Witness {
  readonly struct: Struct;
  readonly args: Arguments;
  readonly bytes: Uint8Array;
  readonly disagreement: Disagreement;
}

/** Messages written for each side. What a rule can break shows within the first dozens in all fixtures. */
const ATTEMPTS = 400;

export class WitnessSearch {
  /** By the older struct, for each side and way of reading. */
  private readonly found = new Map<Struct, Map<string, readonly Witness[]>>();

  /** The shortest message for each place and kind of disagreement. `extensible`: see the interpreter. */
  between(old: Struct, now: Struct, side: Side, extensible: boolean): readonly Witness[] {
    const key = `${side} ${extensible}`;
    let known = this.found.get(old);
    if (known === undefined) {
      known = new Map();
      this.found.set(old, known);
    }
    let witnesses = known.get(key);
    if (witnesses === undefined) {
      witnesses = search(old, now, side, extensible);
      known.set(key, witnesses);
    }
    return witnesses;
  }
}

function search(old: Struct, now: Struct, side: Side, extensible: boolean): readonly Witness[] {
  const [writer, reader] = side === "oldReaders" ? [now, old] : [old, now];
  const pool = mentionedIntegers([old, now]);
  const best = new Map<string, Witness>();
  for (let seed = 0; seed < ATTEMPTS; seed++) {
    const choices = new SeededChoices(seed, pool);
    const args = choices.arguments(old, now);
    const bytes = compose(writer, args, choices);
    if (bytes === undefined) continue;
    const written = interpret(writer, bytes, args);
    // What was made up counts only when the version that it was made for takes all of it.
    if (written.fault !== undefined || written.size !== bytes.length) continue;
    const read = interpret(reader, bytes, args, { extensible });
    if (isInvented(written, read)) continue;
    for (const disagreement of disagreements(writer, written, reader, read)) {
      if (extensible && disagreement.kind === "length") continue;
      keep(best, { struct: writer, args, bytes, disagreement });
    }
  }
  return [...best.values()];
}

/** The writer made up what only the reader knows: no version writes under a tag that is unknown to it. */
function isInvented(written: Reading, read: Reading): boolean {
  const understood = new Set(
    read.leaves.flatMap(({ path, value, opaque }) => (isChoice(value) && !opaque ? [path] : [])),
  );
  return written.leaves.some(({ path, value, opaque }) => isChoice(value) && opaque && understood.has(path));
}

function keep(best: Map<string, Witness>, witness: Witness): void {
  const { kind, path, code, names } = witness.disagreement;
  const key = [kind, path.replace(/\[\d+\]/g, "[]"), code, ...names].join(" ");
  const other = best.get(key);
  if (other === undefined || witness.bytes.length < other.bytes.length) best.set(key, witness);
}
