/**
 * The data of a vfio-virtio device file: records, each with the complete state of the device as parts. Records of unknown
 * tags are passed over when they are optional, and are an error when they are not.
 */
import {
  encodeVirtiovfRecord,
  readVirtiovfMigrationHeader,
  scanVirtiovfMigrationHeader,
  VirtiovfMigfHeaderFlags,
  VirtiovfMigfHeaderTag,
  type VirtiovfMigrationHeader,
} from "../../../generated/vfio/virtio-stream.js";
import type { VirtioDevPart } from "../../../generated/virtio/device-parts.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { Fault, Reader } from "../../runtime/index.js";
import { type ElementCodec, takeElement } from "../elements.js";
import { streamFault, under } from "../faults.js";
import { type DevicePartEvent, devicePartCodec, devicePartEvent } from "../virtio/parts.js";
import { Window } from "../window.js";

const SCHEMA = "vfio/virtio-stream.wire";

export type VfioStreamEvent =
  /** A header. The parts of the record follow, then its end. */
  | {
      readonly kind: "record";
      readonly index: number;
      readonly at: number;
      readonly size: number;
      readonly header: VirtiovfMigrationHeader;
    }
  | DevicePartEvent
  /** All of the record has been read, or passed over. */
  | { readonly kind: "record-end"; readonly index: number; readonly at: number; readonly known: boolean }
  /** Bytes that cannot be read. */
  | { readonly kind: "gap"; readonly at: number; readonly size: number }
  | { readonly kind: "fault"; readonly fault: Fault };

/** Retains at most one part that is not complete yet, up to 16 MiB, however large the records are. */
export class VfioStreamParser {
  private readonly listener: (event: VfioStreamEvent) => void;
  private readonly device: VirtioDeviceId;
  private readonly codec: ElementCodec;
  private readonly window = new Window();
  private record = { index: -1, end: 0, open: false, known: false };
  private part = 0;
  private gapAt: number | undefined;
  private ended = false;

  /** `device`: what parts of the device type are read as; VIRTIO_ID_INVALID keeps their bytes. */
  constructor(listener: (event: VfioStreamEvent) => void, device: VirtioDeviceId) {
    this.listener = listener;
    this.device = device;
    this.codec = devicePartCodec(device);
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => this.parse(reader));
  }

  /** The input is over. */
  end(): void {
    this.ended = true;
    this.window.finish((reader) => this.parse(reader));
    this.closeGap(this.window.at);
  }

  private parse(reader: Reader): number {
    while (true) {
      const wanted = this.record.open ? this.inside(reader) : this.header(reader);
      if (wanted > 0) return wanted;
    }
  }

  private header(reader: Reader): number {
    const at = reader.at;
    if (at === reader.end) return 1;
    if (!scanVirtiovfMigrationHeader(reader)) {
      const fault = under(`records[${this.record.index + 1}]`, reader.fault as Fault);
      const wanted = reader.wanted - at;
      reader.at = at;
      if (fault.code === "truncated" && !this.ended) return wanted;
      // Without a size nothing says where the next record begins.
      return this.giveUp(reader, fault);
    }
    const size = reader.at - at;
    reader.at = at;
    const header = readVirtiovfMigrationHeader(reader);
    const known = header.tag === VirtiovfMigfHeaderTag.VIRTIOVF_MIGF_HEADER_TAG_DEVICE_DATA;
    const index = this.record.index + 1;
    this.record = { index, end: reader.base + reader.at + header.recordSize, open: true, known };
    this.part = 0;
    this.listener({ kind: "record", index, at: reader.base + at, size, header });
    if (!known && (header.flags & VirtiovfMigfHeaderFlags.VIRTIOVF_MIGF_HEADER_FLAGS_TAG_OPTIONAL) === 0) {
      this.fault(
        streamFault(
          SCHEMA,
          "tag",
          `records[${index}].tag`,
          reader.base + at,
          `unknown tag ${header.tag} that is not optional`,
        ),
      );
    }
    return 0;
  }

  private inside(reader: Reader): number {
    const { record } = this;
    const limit = record.end - reader.base;
    if (reader.at === limit) {
      this.closeGap(record.end);
      record.open = false;
      this.listener({ kind: "record-end", index: record.index, at: record.end, known: record.known });
      return 0;
    }
    if (!record.known || this.gapAt !== undefined) return this.pass(reader, limit);
    const { at, end, depth } = reader;
    if (limit <= end) {
      reader.end = limit;
      reader.depth = depth + 1;
    }
    const step = takeElement(reader, this.codec, `records[${record.index}].parts[${this.part}]`);
    reader.end = end;
    reader.depth = depth;
    if (step.kind === "wanted" && !this.ended) return Math.min(step.bytes, limit - at);
    if (step.kind !== "element") {
      this.fault(step.kind === "wanted" ? step.lacking : step.fault);
      this.gapAt = reader.base + at;
      return this.pass(reader, limit);
    }
    for (const fault of step.faults) this.fault(fault);
    this.listener(devicePartEvent(reader, at, this.part, step.faults.length === 0, this.device));
    this.part++;
    return 0;
  }

  /** Goes on to the end of the record. */
  private pass(reader: Reader, limit: number): number {
    reader.at = Math.min(limit, reader.end);
    if (reader.at === limit) return 0;
    if (this.ended && this.gapAt === undefined) {
      const { index, end } = this.record;
      const missing = end - reader.base - reader.at;
      this.fault(
        streamFault(
          SCHEMA,
          "truncated",
          `records[${index}].data`,
          reader.base + reader.at,
          undefined,
          missing,
          0,
        ),
      );
    }
    return 1;
  }

  private giveUp(reader: Reader, fault: Fault): number {
    this.fault(fault);
    this.gapAt = reader.base + reader.at;
    this.record = { ...this.record, end: Number.POSITIVE_INFINITY, open: true };
    return 0;
  }

  private closeGap(end: number): void {
    if (this.gapAt !== undefined && end > this.gapAt)
      this.listener({ kind: "gap", at: this.gapAt, size: end - this.gapAt });
    this.gapAt = undefined;
  }

  private fault(fault: Fault): void {
    this.listener({ kind: "fault", fault });
  }
}

/** A record with the complete state of a device. */
export function vfioRecord(parts: readonly VirtioDevPart[], device: VirtioDeviceId): Uint8Array {
  return encodeVirtiovfRecord(
    {
      flags: 0,
      tag: VirtiovfMigfHeaderTag.VIRTIOVF_MIGF_HEADER_TAG_DEVICE_DATA,
      data: { case: "parts", value: { parts: [...parts] } },
    },
    device,
  );
}
