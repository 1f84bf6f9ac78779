/** Walks over random messages: every byte belongs to one field, and the fields have the values that decode gives. */
import { describe, expect, it } from "vitest";
import { type Fault, type FieldValue, Reader, type Site, type Visitor } from "../../src/runtime/index.js";
import { canonical, faultText, thrownBy } from "./canonical.js";
import { everyMessage } from "./drawn.js";
import { camelCase } from "./model.js";
import { cutsOf, Noise } from "./noise.js";

interface Leaf {
  readonly at: number;
  readonly size: number;
  readonly bit: number | undefined;
  readonly width: number | undefined;
}

interface Node {
  readonly site: Site | undefined;
  readonly children: Node[];
  readonly value: FieldValue | undefined;
}

/** Builds the tree that a walk describes. */
class Tree implements Visitor {
  readonly root: Node = { site: undefined, children: [], value: undefined };
  readonly leaves: Leaf[] = [];
  readonly faults: Fault[] = [];
  private readonly around: Node[] = [this.root];
  private readonly opened: number[] = [];

  get depth(): number {
    return this.opened.length;
  }

  open(site: Site, _index: number, at: number): void {
    const node: Node = { site, children: [], value: undefined };
    this.here.children.push(node);
    this.around.push(node);
    this.opened.push(at);
  }

  close(at: number): void {
    const from = this.opened.pop();
    expect(from).toBeLessThanOrEqual(at);
    this.around.pop();
  }

  field(
    site: Site,
    _index: number,
    at: number,
    size: number,
    value: FieldValue,
    bit?: number,
    width?: number,
  ): void {
    this.here.children.push({ site, children: [], value });
    this.leaves.push({ at, size, bit, width });
  }

  fault(fault: Fault): void {
    this.faults.push(fault);
  }

  private get here(): Node {
    const node = this.around[this.around.length - 1];
    if (node === undefined) throw new Error("closed more than was opened");
    return node;
  }
}

/** The leaves, one behind the other, as the places that they take; the bit fields of a container count as one. */
function placesOf(leaves: readonly Leaf[]): string[] {
  const places: string[] = [];
  let bits: { at: number; size: number; seen: bigint } | undefined;
  const flush = (): void => {
    if (bits === undefined) return;
    const all = (1n << BigInt(bits.size * 8)) - 1n;
    places.push(`${bits.at}+${bits.size}${bits.seen === all ? "" : ` bits 0x${bits.seen.toString(16)}`}`);
    bits = undefined;
  };
  for (const { at, size, bit, width } of leaves) {
    if (bit === undefined || width === undefined) {
      flush();
      if (size > 0) places.push(`${at}+${size}`);
      continue;
    }
    if (bits?.at !== at) flush();
    bits ??= { at, size, seen: 0n };
    const mask = ((1n << BigInt(width)) - 1n) << BigInt(bit);
    expect(bits.seen & mask, "a bit reported twice").toBe(0n);
    bits.seen |= mask;
  }
  flush();
  return places;
}

/** The same for bytes that are covered once and without gaps. */
function isCovered(leaves: readonly Leaf[], size: number): void {
  let next = 0;
  for (const place of placesOf(leaves)) {
    const [at, length] = place.split("+");
    expect(place).toBe(`${next}+${length}`);
    next = Number(at) + Number(length);
  }
  expect(next).toBe(size);
}

/** Compares what was walked with what was decoded, member by member: both are in the order of the bytes. */
function agrees(nodes: readonly Node[], value: object): void {
  const walked = nodes.filter(({ site }) => site?.role !== "constant" && site?.role !== "derived");
  for (const [key, decoded] of Object.entries(value)) {
    const name = key.replace(/\$+$/, "");
    const next = walked[0];
    if (decoded === undefined) {
      // Reserved bytes that are zero have no value; what a condition left out has no place either.
      if (next?.site?.role === "reserved" && camelCase(next.site.name) === name && isZero(next.value))
        walked.shift();
      continue;
    }
    if (isCase(decoded)) {
      if (decoded.value === undefined) continue;
      expect(camelCase(next?.site?.name ?? "")).toBe(decoded.case.replace(/\$+$/, ""));
      agreesWith(walked.shift(), decoded.value);
      continue;
    }
    expect(camelCase(next?.site?.name ?? "")).toBe(name);
    agreesWith(walked.shift(), decoded);
  }
  expect(walked.map(({ site }) => site?.name)).toEqual([]);
}

function agreesWith(node: Node | undefined, value: unknown): void {
  if (node === undefined) throw new Error(`nothing was walked for ${canonical(value)}`);
  if (Array.isArray(value)) {
    expect(node.children.length).toBe(value.length);
    value.forEach((element, i) => agreesWith(node.children[i], element));
  } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    agrees(node.children, value);
  } else {
    expect(canonical(node.value)).toBe(canonical(value));
  }
}

function isCase(value: unknown): value is { readonly case: string; readonly value: unknown } {
  return typeof value === "object" && value !== null && Object.keys(value).join() === "case,value";
}

function isZero(value: FieldValue | undefined): boolean {
  return value instanceof Uint8Array && value.every((byte) => byte === 0);
}

describe("a walk over a message of a random schema", () => {
  it("reports every byte once, and the values that decode gives", () =>
    everyMessage(({ walk, decode }, { bytes }) => {
      const tree = new Tree();
      expect(walk(new Reader(bytes), tree)).toBe(true);
      expect(tree.faults.map(faultText)).toEqual([]);
      expect(tree.depth).toBe(0);
      isCovered(tree.leaves, bytes.length);
      agrees(tree.root.children, decode(bytes) as object);
    }));

  it("shows what is whole of bytes that are not, and finds first what decode finds", () =>
    everyMessage(({ walk, decode }, { bytes }) => {
      const noise = new Noise(bytes);
      const damaged = cutsOf(bytes.length).map((cut) => bytes.subarray(0, cut));
      for (let round = 0; round < 8; round++) damaged.push(noise.spoil(bytes));
      for (const each of damaged) {
        const tree = new Tree();
        const reader = new Reader(each);
        walk(reader, tree);
        expect(tree.depth).toBe(0);
        let end = 0;
        for (const place of placesOf(tree.leaves)) {
          const [at, size] = place.split("+").map((text) => Number.parseInt(text, 10));
          expect(at).toBeGreaterThanOrEqual(end);
          end = (at ?? 0) + (size ?? 0);
        }
        expect(end).toBeLessThanOrEqual(each.length);
        const thrown = thrownBy(() => decode(each));
        const [first] = tree.faults;
        if (thrown?.startsWith("trailing path= ") === true) expect(first).toBeUndefined();
        else
          expect(first === undefined ? undefined : `${first.code} offset=${first.offset}`).toBe(
            briefly(thrown),
          );
      }
    }));
});

/** Walks tell where something is, not what it is called from outside. */
function briefly(thrown: string | undefined): string | undefined {
  return thrown?.replace(/^(\w+) path=.* (offset=\d+) need.*$/, "$1 $2");
}
