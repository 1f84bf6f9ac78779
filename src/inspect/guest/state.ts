/**
 * The state of a member inside a guest's stream, read as the capture of its own that it is. It comes in pieces with
 * messages between them: places are brought back to where the bytes lie in the stream, so that every offset can be looked
 * at.
 */
import { GuestMemberFormat } from "../../../generated/migration/guest-stream.js";
import type { Fault } from "../../runtime/index.js";
import { under } from "../../streams/faults.js";
import { DeviceContextInspection, DevicePartsInspection, VfioStreamInspection } from "../elements.js";
import type { CaptureInspection } from "../inspection.js";
import type { Node } from "../node.js";
import { type Path, printPath } from "../path.js";
import type { CaptureRecord, Sink, Summary } from "../report.js";

/** More than a state has, and a hostile one can have a piece for each byte. */
const MAX_PIECES = 1 << 16;

export interface StateOptions {
  readonly withFields: boolean;
  readonly format: number;
  readonly device: number;
  /** Of the state: those of its records begin with it. */
  readonly path: Path;
}

export class StateInspection {
  /** Where the message of its first piece begins. */
  readonly at: number;
  readonly path: Path;
  size = 0;
  pieces = 0;
  private readonly inner: CaptureInspection | undefined;
  /** For each piece, where it begins in the state and in the stream. */
  private readonly starts: number[] = [];
  private readonly places: number[] = [];

  constructor(sink: Sink, at: number, { withFields, format, device, path }: StateOptions) {
    this.at = at;
    this.path = path;
    const moved: Sink = { record: (record) => sink.record(this.moved(record)) };
    this.inner = inspectionOf(format, moved, { withFields, device });
  }

  /** Its format is one that can be read. */
  get isKnown(): boolean {
    return this.inner !== undefined;
  }

  /** False when there are too many pieces to be told apart: no more is read. */
  push(bytes: Uint8Array, at: number): boolean {
    if (this.pieces === MAX_PIECES) return false;
    this.starts.push(this.size);
    this.places.push(at);
    this.size += bytes.length;
    this.pieces++;
    this.inner?.push(bytes);
    return true;
  }

  /** All of it has come, or no more will. Gives what is wrong inside. */
  end(): {
    readonly faults: readonly Fault[];
    readonly count: number;
    readonly summary: Summary | undefined;
  } {
    const summary = this.inner?.end();
    const faults = summary?.faults.map((fault) => this.movedFault(fault)) ?? [];
    return { faults, count: summary?.faultCount ?? 0, summary };
  }

  private moved(record: CaptureRecord): CaptureRecord {
    const { path, at, fields, faults } = record;
    return {
      ...record,
      path: [...this.path, ...path],
      at: this.place(at),
      fields: fields?.map((node) => this.movedNode(node)),
      faults: faults.map((fault) => this.movedFault(fault)),
    };
  }

  private movedNode(node: Node): Node {
    return {
      ...node,
      at: this.place(node.at),
      ...(node.children === undefined ? {} : { children: node.children.map((one) => this.movedNode(one)) }),
      ...(node.faults === undefined ? {} : { faults: node.faults.map((one) => this.movedFault(one)) }),
    };
  }

  private movedFault(fault: Fault): Fault {
    return under(printPath(this.path), { ...fault, offset: this.place(fault.offset) });
  }

  /** Where a byte of the state lies in the stream; the end of the state lies behind its last piece. */
  private place(offset: number): number {
    let low = 0;
    let high = this.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return (this.places[low] ?? this.at) + offset - (this.starts[low] ?? 0);
  }
}

function inspectionOf(
  format: number,
  sink: Sink,
  options: { readonly withFields: boolean; readonly device: number },
): CaptureInspection | undefined {
  switch (format) {
    case GuestMemberFormat.GUEST_MEMBER_DEVICE_CONTEXT:
      return new DeviceContextInspection(sink, options);
    case GuestMemberFormat.GUEST_MEMBER_DEVICE_PARTS:
      return new DevicePartsInspection(sink, options);
    case GuestMemberFormat.GUEST_MEMBER_VFIO_VIRTIO:
      return new VfioStreamInspection(sink, options);
    default:
      return undefined;
  }
}
