/**
 * What the parts of a saved device must agree on, and no single struct can check. It listens to the walk: what is
 * compared with comes first.
 */
import type { Fault, FieldValue, Site, Visitor } from "../../../runtime/index.js";
import { streamFault } from "../../faults.js";
import { Relay } from "../relay.js";

const SCHEMA = "qemu/virtio/body.wire";
const LOW_HALF = 0xffff_ffffn;

export class Judge extends Relay {
  /** Faults of the walk included. */
  faults = 0;
  private readonly base: number;
  private readonly path: string;
  private readonly places: { readonly name: string; readonly index: number }[] = [];
  private readonly sizes: number[] = [];
  private low: bigint | undefined;

  /** `base`: where index 0 of what is walked stands in the stream. `path`: that of the state. */
  constructor(target: Visitor, base: number, path: string) {
    super(target);
    this.base = base;
    this.path = path;
  }

  override open(site: Site, index: number, at: number): void {
    this.places.push({ name: site.name, index });
    super.open(site, index, at);
  }

  override close(at: number): void {
    this.places.pop();
    super.close(at);
  }

  override field(
    site: Site,
    index: number,
    at: number,
    size: number,
    value: FieldValue,
    bit?: number,
    width?: number,
  ): void {
    super.field(site, index, at, size, value, bit, width);
    const place = this.places.at(-1);
    if (typeof value === "number" && site.name === "guest_features_lo") this.low = BigInt(value);
    if (typeof value === "number" && site.name === "num" && place?.name === "queues") this.sizes.push(value);
    if (typeof value === "number" && site.name === "inuse") this.inuse(place?.index ?? -1, at, value);
    if (typeof value === "bigint" && place?.name === "virtio/64bit_features") this.features(at, value);
  }

  override fault(fault: Fault): void {
    this.faults++;
    super.fault(fault);
  }

  /** More descriptors cannot be taken than a ring holds: QEMU would call the driver broken. */
  private inuse(queue: number, at: number, inuse: number): void {
    const size = this.sizes[queue];
    if (size === undefined || inuse <= size) return;
    const place = `virtio/packed_virtqueues.vq[${queue}].inuse`;
    this.report(place, at, `${inuse} descriptors in use of a ring of ${size}`);
  }

  private features(at: number, value: bigint): void {
    if (this.low === undefined || (value & LOW_HALF) === this.low) return;
    const detail = `0x${value.toString(16)}, but guest_features_lo is 0x${this.low.toString(16)}`;
    this.report("virtio/64bit_features.guest_features", at, detail);
  }

  private report(place: string, at: number, detail: string): void {
    this.fault(streamFault(SCHEMA, "constraint", `${this.path}.${place}`, this.base + at, detail));
  }
}
