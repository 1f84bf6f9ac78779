/** Visitors that pass on what a walk reports and change one thing on the way, and some that only look for one. */
import type { Fault, FieldValue, Site, Visitor } from "../../runtime/index.js";
import { under } from "../faults.js";

export class Relay implements Visitor {
  protected readonly target: Visitor;

  constructor(target: Visitor) {
    this.target = target;
  }

  open(site: Site, index: number, at: number): void {
    this.target.open(site, index, at);
  }

  close(at: number): void {
    this.target.close(at);
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
    this.target.field(site, index, at, size, value, bit, width);
  }

  fault(fault: Fault): void {
    this.target.fault(fault);
  }
}

/** Walks tell of a fault by the name of its field alone: the path to it is that of what is open around it. */
export class Under extends Relay {
  private readonly path: string;
  private readonly steps: string[] = [];

  constructor(target: Visitor, path: string) {
    super(target);
    this.path = path;
  }

  override open(site: Site, index: number, at: number): void {
    this.steps.push(index < 0 ? site.name : `[${index}]`);
    super.open(site, index, at);
  }

  override close(at: number): void {
    this.steps.pop();
    super.close(at);
  }

  override fault(fault: Fault): void {
    let found = fault;
    for (let i = this.steps.length - 1; i >= 0; i--) found = under(this.steps[i] ?? "", found);
    super.fault(this.path === "" ? found : under(this.path, found));
  }
}

/** Keeps the bytes of the first field of that name. */
export class Capture implements Visitor {
  bytes: Uint8Array | undefined;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  open(): void {}

  close(): void {}

  field(site: Site, _index: number, _at: number, _size: number, value: FieldValue): void {
    if (site.name === this.name && value instanceof Uint8Array) this.bytes ??= value;
  }

  fault(): void {}
}

/** Where the first member of that name begins and ends. */
export class Span implements Visitor {
  at: number | undefined;
  end: number | undefined;
  private readonly name: string;
  private depth = 0;
  private found = 0;

  constructor(name: string) {
    this.name = name;
  }

  open(site: Site, _index: number, at: number): void {
    this.depth++;
    if (site.name !== this.name || this.at !== undefined) return;
    this.at = at;
    this.found = this.depth;
  }

  close(at: number): void {
    if (this.at !== undefined && this.end === undefined && this.depth === this.found) this.end = at;
    this.depth--;
  }

  field(): void {}

  fault(): void {}
}

/** Hears nothing: for a walk that is only to find where something ends. */
export const DEAF: Visitor = { open() {}, close() {}, field() {}, fault() {} };
