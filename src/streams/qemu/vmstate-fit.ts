/**
 * Finds out which of the fields that a dump of vmstates allows a body holds: those for which it comes out to the last
 * byte. Where there are two ways to read it there is no telling, and neither is taken.
 */
import { readQemuVmSubsection, scanQemuVmSubsection } from "../../../generated/qemu/stream.js";
import { Reader } from "../../runtime/index.js";
import type { FieldDescription, StateDescription } from "./description.js";
import type { DumpedField, DumpedState } from "./vmstate-dump.js";

/** A device with many conditions can be read in very many ways: those that take longer are not looked for. */
const MAX_STEPS = 20_000;

/** The state as its stream would describe it. Undefined when nothing fits, or when it is not clear what does. */
export function fitState(
  state: DumpedState,
  version: number,
  body: Uint8Array,
): StateDescription | undefined {
  const search = new Search(body);
  let found: StateDescription | undefined;
  let count = 0;
  search.state(state, version, 0, (at, described) => {
    if (at !== body.length) return;
    found = described;
    count++;
    if (count > 1) search.steps = MAX_STEPS;
  });
  return count === 1 && search.steps < MAX_STEPS ? found : undefined;
}

/** Is told of every place where a state may end, and what it then is. */
type Then = (at: number, described: StateDescription) => void;
type Fields = readonly FieldDescription[];

class Search {
  steps = 0;
  private readonly body: Uint8Array;

  constructor(body: Uint8Array) {
    this.body = body;
  }

  state(state: DumpedState, version: number, at: number, then: Then): void {
    const { fields, subsections, name } = state;
    this.fields(fields, 0, version, at, [], (end, described) => {
      this.subsections(subsections, end, [], (last, found) => {
        then(last, { name, version, fields: described, subsections: found });
      });
    });
  }

  private fields(
    all: readonly DumpedField[],
    index: number,
    version: number,
    at: number,
    before: Fields,
    then: (at: number, fields: Fields) => void,
  ): void {
    if (++this.steps >= MAX_STEPS || at > this.body.length) return;
    const field = all[index];
    if (field === undefined) {
      then(at, before);
      return;
    }
    const skip = (): void => this.fields(all, index + 1, version, at, before, then);
    if (field.since > version) {
      skip();
      return;
    }
    this.elements(field, at, (end, described) =>
      this.fields(all, index + 1, version, end, [...before, ...described], then),
    );
    if (field.conditional) skip();
  }

  private elements(field: DumpedField, at: number, then: (at: number, fields: Fields) => void): void {
    const { name, size, count = 1, struct } = field;
    if (struct === undefined) {
      // Only QEMU's code knows what it writes for something without a size.
      if (size > 0 && size * count <= this.body.length - at) {
        const one = { name, size, indexed: false, unsized: false, struct: undefined, elements: [] };
        then(at + size * count, [{ ...one, type: INTEGERS.get(size) ?? "buffer", count }]);
      }
      return;
    }
    const next = (index: number, from: number, before: Fields): void => {
      if (index === count) then(from, before);
      else if (++this.steps < MAX_STEPS)
        this.state(struct, struct.version, from, (end, inner) => {
          const element = { name, type: "struct", size: end - from, count: 1, struct: inner, elements: [] };
          next(index + 1, end, [...before, { ...element, indexed: count > 1, unsized: false }]);
        });
    };
    next(0, at, []);
  }

  /** They bear their names, so that there is no choice where one follows. */
  private subsections(
    known: readonly DumpedState[],
    at: number,
    before: readonly StateDescription[],
    then: (at: number, subsections: readonly StateDescription[]) => void,
  ): void {
    if (++this.steps >= MAX_STEPS) return;
    const head = this.subsectionAt(at);
    const state = head && known.find(({ name }) => name === head.name);
    if (head === undefined || state === undefined) then(at, before);
    else
      this.state(state, head.version, head.end, (end, described) =>
        this.subsections(known, end, [...before, described], then),
      );
  }

  private subsectionAt(at: number): { name: string; version: number; end: number } | undefined {
    const reader = new Reader(this.body);
    reader.at = at;
    if (!scanQemuVmSubsection(reader)) return undefined;
    const end = reader.at;
    reader.at = at;
    const { name, versionId } = readQemuVmSubsection(reader);
    return { name: name.text, version: versionId, end };
  }
}

/** Integers are written big-endian, in the size that they have; which are signed, a dump does not say. */
const INTEGERS: ReadonlyMap<number, string> = new Map([
  [1, "uint8"],
  [2, "uint16"],
  [4, "uint32"],
  [8, "uint64"],
]);
