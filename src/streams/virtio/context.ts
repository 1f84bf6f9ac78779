/**
 * Device contexts: what the READ commands of a device bring, in as many buffers as they may be, and what its WRITE commands
 * take. A field may begin in one buffer and end in another.
 */
import {
  encodeVirtioDevCtx,
  readVirtioDevCtxFieldTlv,
  scanVirtioDevCtx,
  scanVirtioDevCtxFieldTlv,
  type VirtioDevCtx,
  type VirtioDevCtxFieldTlv,
  walkVirtioDevCtx,
  walkVirtioDevCtxFieldTlv,
} from "../../../generated/virtio/device-context.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { Fault, Reader } from "../../runtime/index.js";
import { cutIntoBuffers } from "../cut.js";
import { type ElementCodec, takeElement } from "../elements.js";
import { streamFault } from "../faults.js";
import { Window } from "../window.js";

const SCHEMA = "virtio/device-context.wire";

export type DeviceContextEvent =
  /** How many fields follow. */
  | { readonly kind: "count"; readonly at: number; readonly size: number; readonly fieldCount: number }
  /** A field is complete. `bytes` are lent until the listener returns; `field` is undefined when it is damaged. */
  | {
      readonly kind: "field";
      readonly index: number;
      readonly at: number;
      readonly bytes: Uint8Array;
      readonly field: VirtioDevCtxFieldTlv | undefined;
    }
  /** The last field has been read. */
  | { readonly kind: "end"; readonly at: number }
  /** Bytes that cannot be read. */
  | { readonly kind: "gap"; readonly at: number; readonly size: number }
  | { readonly kind: "fault"; readonly fault: Fault };

/** Retains at most one field that is not complete yet, up to 16 MiB. */
export class DeviceContextParser {
  private readonly listener: (event: DeviceContextEvent) => void;
  private readonly device: VirtioDeviceId;
  private readonly codec: ElementCodec;
  private readonly window = new Window();
  private fieldCount: number | undefined;
  private index = 0;
  private ended = false;
  private lostAt: number | undefined;

  /** `device`: what the device configuration is read as; the context does not say it. */
  constructor(listener: (event: DeviceContextEvent) => void, device: VirtioDeviceId) {
    this.listener = listener;
    this.device = device;
    this.codec = {
      scan: (reader) => scanVirtioDevCtxFieldTlv(reader, device),
      walk: (reader, visitor) => walkVirtioDevCtxFieldTlv(reader, visitor, device),
      schema: SCHEMA,
    };
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => this.parse(reader));
  }

  /** The input is over. */
  end(): void {
    this.ended = true;
    this.window.finish((reader) => this.parse(reader));
    if (this.lostAt !== undefined && this.window.at > this.lostAt) {
      this.listener({ kind: "gap", at: this.lostAt, size: this.window.at - this.lostAt });
    }
  }

  private parse(reader: Reader): number {
    if (this.lostAt !== undefined) return this.drop(reader);
    if (this.fieldCount === undefined) {
      const at = reader.at;
      const count = readFieldCount(reader, this.device);
      if (count === undefined) {
        if (!this.ended) return reader.wanted - at;
        return this.lost(reader, reader.fault as Fault);
      }
      this.fieldCount = count;
      this.listener({ kind: "count", at: reader.base + at, size: reader.at - at, fieldCount: count });
    }
    while (this.index < this.fieldCount) {
      const at = reader.at;
      const step = takeElement(reader, this.codec, `fields[${this.index}]`);
      if (step.kind === "wanted" && !this.ended) return step.bytes;
      if (step.kind !== "element")
        return this.lost(reader, step.kind === "wanted" ? step.lacking : step.fault);
      for (const fault of step.faults) this.listener({ kind: "fault", fault });
      this.field(reader, at, step.faults.length === 0);
      this.index++;
      if (this.index === this.fieldCount) this.listener({ kind: "end", at: reader.base + reader.at });
    }
    if (reader.at === reader.end) return 1;
    const left = streamFault(
      SCHEMA,
      "trailing",
      "",
      reader.base + reader.at,
      `bytes behind the last of ${this.fieldCount} fields`,
    );
    return this.lost(reader, left);
  }

  private field(reader: Reader, at: number, sound: boolean): void {
    const end = reader.at;
    let field: VirtioDevCtxFieldTlv | undefined;
    if (sound) {
      reader.at = at;
      field = readVirtioDevCtxFieldTlv(reader, this.device);
    }
    this.listener({
      kind: "field",
      index: this.index,
      at: reader.base + at,
      bytes: reader.bytes.subarray(at, end),
      field,
    });
  }

  private lost(reader: Reader, fault: Fault): number {
    this.listener({ kind: "fault", fault });
    this.lostAt = reader.base + reader.at;
    return this.drop(reader);
  }

  private drop(reader: Reader): number {
    reader.at = reader.end;
    return 1;
  }
}

/**
 * Reads the count and leaves the cursor behind it. Undefined when it is not whole: then `reader.wanted` and `reader.fault`
 * are those of a scan.
 */
export function readFieldCount(reader: Reader, device: VirtioDeviceId): number | undefined {
  const { at, end, depth } = reader;
  let count: number | undefined;
  let behind = at;
  const whole = { done: false };
  walkVirtioDevCtx(
    reader,
    {
      open: () => {
        whole.done = true;
      },
      close: () => {},
      field: (_site, _index, place, size, value) => {
        if (whole.done || count !== undefined || typeof value !== "number") return;
        count = value;
        behind = place + size;
      },
      fault: () => {},
    },
    device,
  );
  reader.rewind(at, end, depth);
  if (count === undefined) {
    scanVirtioDevCtx(reader, device);
    reader.rewind(at, end, depth);
    return undefined;
  }
  reader.at = behind;
  return count;
}

/** A context as the data of WRITE commands of `size` bytes each, the last one shorter. */
export function deviceContextBuffers(
  context: VirtioDevCtx,
  device: VirtioDeviceId,
  size: number,
): Generator<Uint8Array> {
  return cutIntoBuffers(encodeVirtioDevCtx(context, device), size);
}
