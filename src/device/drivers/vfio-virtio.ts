/**
 * A model of the kernel's vfio-virtio driver: it migrates one member through device parts, and shows it as a VFIO device
 * with states and one stream of records.
 * @source Linux 7.2, drivers/vfio/pci/virtio/migrate.c
 */
import { decodeVirtioDevParts } from "../../../generated/virtio/device-parts.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { vfioRecord } from "../../streams/vfio/records.js";
import type { DevicePartsDriver } from "./device-parts-driver.js";
import { RecordLoader } from "./vfio-loader.js";
import { pathBetween, type VfioState } from "./vfio-states.js";

/** The kernel's errors, by name. */
export type VfioErrorCode = "EINVAL" | "ENOMSG" | "ENODEV" | "EOPNOTSUPP" | "ENOMEM";

export class VfioError extends Error {
  readonly code: VfioErrorCode;

  constructor(code: VfioErrorCode, message: string) {
    super(`${code}: ${message}`);
    this.name = "VfioError";
    this.code = code;
  }
}

/** Decides whether the device is asked once more while its machine is running. */
export interface PrecopyPolicy {
  readonly name: string;
  /** Called each time that the state would be read again; counts for a new stream from zero on. */
  allows(asked: number, milliseconds: number): boolean;
}

/** The series that introduced the driver: 128 reads of a stream, then nothing is left to say. */
export const SERIES_POLICY: PrecopyPolicy = { name: "at most 128 reads", allows: (asked) => asked < 128 };

/** The merged driver: at most once a second. Each stream needs a policy of its own. */
export function mergedPolicy(): PrecopyPolicy {
  let last = Number.NEGATIVE_INFINITY;
  return {
    name: "at most once a second",
    allows: (_asked, milliseconds) => {
      if (milliseconds - last < 1000) return false;
      last = milliseconds;
      return true;
    },
  };
}

export interface PrecopyInfo {
  /** What is left of the first record. */
  readonly initialBytes: number;
  /** What has been added since, and would be. */
  readonly dirtyBytes: number;
}

export interface VfioVirtioOptions {
  readonly device: VirtioDeviceId;
  readonly policy?: () => PrecopyPolicy;
  /** In milliseconds. */
  readonly clock?: () => number;
}

/** What is being saved: the records so far, and how far they are read. */
interface Saving {
  bytes: Uint8Array;
  position: number;
  /** Of the first record. */
  initial: number;
  readonly policy: PrecopyPolicy;
  asked: number;
  /** More may come: the machine is running. */
  precopy: boolean;
}

export class VfioVirtioDevice {
  private readonly parts: DevicePartsDriver;
  private readonly device: VirtioDeviceId;
  private readonly policy: () => PrecopyPolicy;
  private readonly clock: () => number;
  private current: VfioState = "RUNNING";
  private saving: Saving | undefined;
  private loading: RecordLoader | undefined;
  private busy = false;
  private resetPending = false;

  constructor(parts: DevicePartsDriver, options: VfioVirtioOptions) {
    this.parts = parts;
    this.device = options.device;
    this.policy = options.policy ?? mergedPolicy;
    this.clock = options.clock ?? (() => Date.now());
  }

  get state(): VfioState {
    return this.current;
  }

  /** Some of a record has been written, and not all of it. */
  get isRecordPartial(): boolean {
    return this.loading?.isPartial ?? false;
  }

  /** Goes there arc by arc. @throws VfioError, and stays where it has come to. */
  setState(wanted: VfioState): void {
    this.locked(() => {
      const path = pathBetween(this.current, wanted);
      if (path === undefined) throw new VfioError("EINVAL", `no way from ${this.current} to ${wanted}`);
      for (const next of path) {
        this.step(next);
        this.current = next;
      }
    });
  }

  /** The device is reset by its guest or by the bus. While a state changes this waits for the end of the change. */
  reset(): void {
    if (this.busy) {
      this.resetPending = true;
      return;
    }
    this.current = "RUNNING";
    this.closeStreams();
  }

  /**
   * The next bytes of the stream. Nothing at its end.
   * @throws VfioError ENOMSG while the machine runs and there is no more for now.
   */
  read(size: number): Uint8Array {
    const { saving } = this;
    if (saving === undefined) throw new VfioError("ENODEV", "nothing is being saved");
    if (saving.position === saving.bytes.length && saving.precopy) {
      throw new VfioError("ENOMSG", "no more for now");
    }
    const piece = saving.bytes.subarray(saving.position, saving.position + size);
    saving.position += piece.length;
    return piece;
  }

  /** What a stream has still to say. Asking is what makes the driver read the device again. @throws VfioError */
  precopyInfo(): PrecopyInfo {
    return this.locked(() => {
      const { saving } = this;
      if (saving === undefined || (this.current !== "PRE_COPY" && this.current !== "PRE_COPY_P2P")) {
        throw new VfioError("EINVAL", `in ${this.current}`);
      }
      const fresh = saving.policy.allows(saving.asked, this.clock()) ? this.parts.partsSize() : 0;
      if (fresh > 0) saving.asked++;
      if (saving.position < saving.initial) {
        return { initialBytes: saving.initial - saving.position, dirtyBytes: 0 };
      }
      const left = saving.bytes.length - saving.position;
      if (left === 0 && fresh > 0) this.append(saving);
      return { initialBytes: 0, dirtyBytes: left + fresh };
    });
  }

  /** The next bytes of a stream that is being loaded. @throws VfioError */
  write(bytes: Uint8Array): void {
    this.locked(() => {
      if (this.loading === undefined) throw new VfioError("ENODEV", "nothing is being loaded");
      this.loading.push(bytes);
    });
  }

  /** The arcs that there are. Others do not come up. */
  private step(next: VfioState): void {
    switch (`${this.current} ${next}`) {
      case "RUNNING_P2P STOP":
      case "STOP RUNNING_P2P":
        // The device knows only that it is stopped.
        break;
      case "RUNNING RUNNING_P2P":
      case "PRE_COPY PRE_COPY_P2P":
        this.parts.stop();
        break;
      case "RUNNING_P2P RUNNING":
      case "PRE_COPY_P2P PRE_COPY":
        this.parts.resume();
        break;
      case "STOP STOP_COPY":
        this.saving = this.opened(false);
        break;
      case "RUNNING PRE_COPY":
      case "RUNNING_P2P PRE_COPY_P2P":
        this.saving = this.opened(true);
        break;
      case "PRE_COPY_P2P STOP_COPY":
        if (this.saving === undefined) throw new VfioError("ENODEV", "nothing is being saved");
        this.append(this.saving);
        this.saving.precopy = false;
        break;
      case "STOP RESUMING":
        this.loading = new RecordLoader(
          (parts) => this.parts.setParts(parts),
          this.parts.largestParts,
          (code, message) => new VfioError(code, message),
        );
        break;
      case "STOP_COPY STOP":
      case "PRE_COPY RUNNING":
      case "PRE_COPY_P2P RUNNING_P2P":
      case "RESUMING STOP":
        this.closeStreams();
        break;
      default:
        throw new VfioError("EINVAL", `no arc from ${this.current} to ${next}`);
    }
  }

  private opened(precopy: boolean): Saving {
    const bytes = this.record();
    return { bytes, position: 0, initial: bytes.length, policy: this.policy(), asked: 1, precopy };
  }

  private append(saving: Saving): void {
    const record = this.record();
    // What is read is let go: a stream that goes on for hours keeps one record.
    const left = saving.bytes.subarray(saving.position);
    const bytes = new Uint8Array(left.length + record.length);
    bytes.set(left);
    bytes.set(record, left.length);
    saving.bytes = bytes;
    saving.position = 0;
    // The first record is read by now, or counts with the rest.
    saving.initial = 0;
  }

  private record(): Uint8Array {
    const { parts } = decodeVirtioDevParts(this.parts.getParts(), this.device);
    return vfioRecord(parts, this.device);
  }

  private closeStreams(): void {
    this.saving = undefined;
    this.loading = undefined;
    this.parts.close();
  }

  /** One at a time; a reset that came meanwhile is carried out at the end. */
  private locked<T>(act: () => T): T {
    this.busy = true;
    try {
      return act();
    } finally {
      this.busy = false;
      if (this.resetPending) {
        this.resetPending = false;
        this.reset();
      }
    }
  }
}
