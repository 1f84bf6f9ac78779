/** Device parts, back to back: what DEV_PARTS_GET brings and DEV_PARTS_SET takes. The end of the input ends them. */
import {
  encodeVirtioDevParts,
  readVirtioDevPart,
  scanVirtioDevPart,
  type VirtioDevPart,
  walkVirtioDevPart,
} from "../../../generated/virtio/device-parts.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { Fault, Reader } from "../../runtime/index.js";
import { cutIntoBuffers } from "../cut.js";
import { type ElementCodec, takeElement } from "../elements.js";
import { Window } from "../window.js";

const SCHEMA = "virtio/device-parts.wire";

/** A part is complete. `bytes` are lent until the listener returns; `part` is undefined when it is damaged. */
export interface DevicePartEvent {
  readonly kind: "part";
  readonly index: number;
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly part: VirtioDevPart | undefined;
}

export type DevicePartsEvent =
  | DevicePartEvent
  /** Bytes that cannot be read. */
  | { readonly kind: "gap"; readonly at: number; readonly size: number }
  | { readonly kind: "fault"; readonly fault: Fault };

export function devicePartCodec(device: VirtioDeviceId): ElementCodec {
  return {
    scan: (reader) => scanVirtioDevPart(reader, device),
    walk: (reader, visitor) => walkVirtioDevPart(reader, visitor, device),
    schema: SCHEMA,
  };
}

/** Reports the part between `at` and the reader's cursor. */
export function devicePartEvent(
  reader: Reader,
  at: number,
  index: number,
  sound: boolean,
  device: VirtioDeviceId,
): DevicePartEvent {
  const end = reader.at;
  let part: VirtioDevPart | undefined;
  if (sound) {
    reader.at = at;
    part = readVirtioDevPart(reader, device);
  }
  return { kind: "part", index, at: reader.base + at, bytes: reader.bytes.subarray(at, end), part };
}

/** Retains at most one part that is not complete yet, up to 16 MiB. */
export class DevicePartsParser {
  private readonly listener: (event: DevicePartsEvent) => void;
  private readonly device: VirtioDeviceId;
  private readonly codec: ElementCodec;
  private readonly window = new Window();
  private index = 0;
  private ended = false;
  private lostAt: number | undefined;

  /** `device`: what parts of the device type are read as; VIRTIO_ID_INVALID keeps their bytes. */
  constructor(listener: (event: DevicePartsEvent) => void, device: VirtioDeviceId) {
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
    if (this.lostAt !== undefined && this.window.at > this.lostAt) {
      this.listener({ kind: "gap", at: this.lostAt, size: this.window.at - this.lostAt });
    }
  }

  private parse(reader: Reader): number {
    while (this.lostAt === undefined && reader.at < reader.end) {
      const at = reader.at;
      const step = takeElement(reader, this.codec, `parts[${this.index}]`);
      if (step.kind === "wanted" && !this.ended) return step.bytes;
      if (step.kind !== "element") {
        this.listener({ kind: "fault", fault: step.kind === "wanted" ? step.lacking : step.fault });
        this.lostAt = reader.base + at;
        break;
      }
      for (const fault of step.faults) this.listener({ kind: "fault", fault });
      this.listener(devicePartEvent(reader, at, this.index, step.faults.length === 0, this.device));
      this.index++;
    }
    reader.at = reader.end;
    return 1;
  }
}

/** Parts as the data of SET commands of `size` bytes each, the last one shorter. */
export function devicePartsBuffers(
  parts: readonly VirtioDevPart[],
  device: VirtioDeviceId,
  size: number,
): Generator<Uint8Array> {
  return cutIntoBuffers(encodeVirtioDevParts({ parts: [...parts] }, device), size);
}
