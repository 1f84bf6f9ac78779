/** A tree of what bytes mean: every field with its place, value and meaning. Built while a value is walked. */
import type { Fault, FieldValue, Site, Visitor } from "../runtime/index.js";
import type { FlagTables } from "./flags.js";

export interface Node {
  /** The source document's name; of an element of an array, that of the array. */
  readonly name: string;
  readonly type: string;
  /** Place in the array, or −1. */
  readonly index: number;
  /** From the start of the capture. */
  readonly at: number;
  size: number;
  /** Of a scalar, text or bytes. */
  readonly value?: FieldValue;
  /** What the value stands for. */
  readonly meaning?: string;
  /** Of a mask: what names its flags. */
  readonly flags?: FlagTables;
  readonly unit?: string;
  readonly doc?: string;
  readonly role?: "reserved" | "constant" | "derived";
  /** Bit fields: the lowest bit, and how many. */
  readonly bit?: number;
  readonly width?: number;
  readonly children?: Node[];
  /** What is wrong here. */
  faults?: Fault[];
}

export interface Meaning {
  readonly text: string;
  readonly flags?: FlagTables;
}

export type MeaningOf = (site: Site, index: number, value: number | bigint) => Meaning | undefined;

/** Collects what a walk reports. */
export class TreeBuilder implements Visitor {
  readonly roots: Node[] = [];
  readonly faults: Fault[] = [];
  private readonly base: number;
  private readonly meaningOf: MeaningOf | undefined;
  private readonly path: Node[] = [];
  private last: Node | undefined;

  /**
   * `base`: where index 0 of the walked bytes stands in the capture. `meaningOf`: what a value means that the schema
   * alone cannot say, or can say only in part.
   */
  constructor(base: number, meaningOf?: MeaningOf) {
    this.base = base;
    this.meaningOf = meaningOf;
  }

  open(site: Site, index: number, at: number): void {
    const node: Node = { ...described(site, index), at: this.base + at, size: 0, children: [] };
    this.add(node);
    this.path.push(node);
    this.last = node;
  }

  close(at: number): void {
    const node = this.path.pop();
    if (node === undefined) return;
    node.size = this.base + at - node.at;
    this.last = node;
  }

  field(
    site: Site,
    index: number,
    at: number,
    size: number,
    value: FieldValue,
    bit?: number,
    width?: number,
  ): void {
    const meaning = meaningOf(this.meaningOf, site, index, value);
    const node: Node = {
      ...described(site, index),
      at: this.base + at,
      size,
      // Walked bytes are lent; the tree may outlive them.
      value: value instanceof Uint8Array ? value.slice() : value,
      ...(meaning === undefined ? {} : { meaning: meaning.text }),
      ...(meaning?.flags === undefined ? {} : { flags: meaning.flags }),
      ...(bit === undefined ? {} : { bit }),
      ...(width === undefined ? {} : { width }),
    };
    this.add(node);
    this.last = node;
  }

  fault(fault: Fault): void {
    this.faults.push(fault);
    const node = this.path[this.path.length - 1] ?? this.last;
    if (node === undefined) return;
    node.faults ??= [];
    node.faults.push(fault);
  }

  private add(node: Node): void {
    const parent = this.path[this.path.length - 1];
    (parent?.children ?? this.roots).push(node);
  }
}

/** Keeps only what is wrong: for a verdict, a tree would be thrown away at once. */
export class FaultCollector implements Visitor {
  readonly faults: Fault[] = [];

  open(): void {}

  close(): void {}

  field(): void {}

  fault(fault: Fault): void {
    this.faults.push(fault);
  }
}

/** What `more` says of a value, or else the schema. */
export function meaningOf(
  more: MeaningOf | undefined,
  site: Site,
  index: number,
  value: FieldValue,
): Meaning | undefined {
  if (typeof value !== "number" && typeof value !== "bigint") return undefined;
  return more?.(site, index, value) ?? ownMeaning(site, value);
}

function ownMeaning({ meaning, flags }: Site, value: number | bigint): Meaning | undefined {
  const text = meaning?.(value);
  if (text === undefined) return undefined;
  return flags === undefined ? { text } : { text, flags: { tables: flags, first: 0 } };
}

function described(
  site: Site,
  index: number,
): Pick<Node, "name" | "type" | "index" | "unit" | "doc" | "role"> {
  return {
    name: site.name,
    type: site.type,
    index,
    ...(site.unit === undefined ? {} : { unit: site.unit }),
    ...(site.doc === undefined ? {} : { doc: site.doc }),
    ...(site.role === undefined ? {} : { role: site.role }),
  };
}
