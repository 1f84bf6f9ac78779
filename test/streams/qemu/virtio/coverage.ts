/** A visitor that checks that a walk claims every byte once, and notes what it found wrong. */
import type { Fault, FieldValue, Site, Visitor } from "../../../../src/runtime/index.js";

export class Coverage implements Visitor {
  readonly faults: Fault[] = [];
  /** Places where the claimed bytes are not those that follow the last ones. */
  readonly breaks: string[] = [];
  /** `a.b[3].c=value` of every field. */
  readonly fields = new Map<string, FieldValue>();
  at = 0;
  private container: readonly [at: number, size: number] | undefined;
  private readonly path: string[] = [];

  open(site: Site, index: number): void {
    this.path.push(index < 0 ? `.${site.name}` : `[${index}]`);
  }

  close(): void {
    this.path.pop();
  }

  field(site: Site, index: number, at: number, size: number, value: FieldValue, bit?: number): void {
    const name = index < 0 ? `.${site.name}` : `[${index}]`;
    this.fields.set(this.path.join("").slice(1) + (this.path.length === 0 ? name.slice(1) : name), value);
    // The members of a bit field share its bytes.
    if (bit !== undefined && this.container?.[0] === at && this.container[1] === size) return;
    this.container = bit === undefined ? undefined : [at, size];
    if (at !== this.at) this.breaks.push(`${site.name} at ${at}, not ${this.at}`);
    this.at = at + size;
  }

  fault(fault: Fault): void {
    this.faults.push(fault);
  }
}
