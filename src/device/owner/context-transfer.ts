/**
 * The device context of one member on its way: what is still to be read, and what has been written so far.
 * @source virtio-comment v2 4/8 and 5/8, admin-cmds-device-migration.tex
 */
import type { Fault } from "../../runtime/index.js";
import { DeviceContextParser } from "../../streams/virtio/context.js";
import { DeviceContextReader, writeDeviceContext } from "../formats/device-context.js";
import type { DeviceState } from "../member/device-state.js";
import type { VirtioDevice } from "../member/virtio-device.js";
import { invalidField } from "./admin-error.js";

/** Commands are filled up to a multiple of this: fewer zeros behind a context are no context. */
const FILL = 8;

/** Hands out contexts of a device: each moment's once, unless it is discarded. */
export class ContextSource {
  private readonly device: VirtioDevice;
  private context: Uint8Array | undefined;
  private at = 0;
  /** The revision of the device whose context has been read in full. */
  private usedUp: number | undefined;

  constructor(device: VirtioDevice) {
    this.device = device;
  }

  /** Some of a context has been read, and not all of it. */
  get isPartial(): boolean {
    return this.context !== undefined && this.at > 0;
  }

  /** Bytes that are still to be read, as far as can be said now. */
  get remaining(): number {
    if (this.context !== undefined) return this.context.length - this.at;
    return this.isUsedUp ? 0 : writeDeviceContext(this.device.save()).length;
  }

  /** The next bytes, at most `size`; none when there is no more. */
  read(size: number): Uint8Array {
    if (this.context === undefined) {
      if (this.isUsedUp || size === 0) return new Uint8Array(0);
      this.context = writeDeviceContext(this.device.save());
      this.at = 0;
      this.usedUp = this.device.revision;
    }
    const piece = this.context.subarray(this.at, this.at + size);
    this.at += piece.length;
    if (this.at === this.context.length) this.context = undefined;
    return piece;
  }

  /** The next read begins a new context. */
  discard(): void {
    this.context = undefined;
    this.at = 0;
    this.usedUp = undefined;
  }

  private get isUsedUp(): boolean {
    return this.usedUp === this.device.revision;
  }
}

/** Takes contexts in, in pieces of any size; the last one that is complete counts. */
export class ContextSink {
  private readonly device: VirtioDevice;
  private parser: DeviceContextParser | undefined;
  private reader: DeviceContextReader | undefined;
  private fault: Fault | undefined;
  private refusal: string | undefined;
  private end: number | undefined;
  private taken = 0;
  private complete: { readonly state: DeviceState; readonly resets: number } | undefined;

  constructor(device: VirtioDevice) {
    this.device = device;
  }

  /** Some of a context has been written, and not all of it. */
  get isPartial(): boolean {
    return this.parser !== undefined;
  }

  /**
   * The next bytes of a context.
   * @throws AdminError when they do not make one, or not one for this device; all of it is forgotten then.
   */
  write(bytes: Uint8Array): void {
    const parser = this.parser ?? this.begin();
    parser.push(bytes);
    this.taken += bytes.length;
    if (this.end !== undefined) this.finish(bytes);
    else if (this.fault !== undefined)
      this.refuse(this.fault.detail ?? `${this.fault.path}: ${this.fault.code}`);
    else if (this.refusal !== undefined) this.refuse(this.refusal);
  }

  /** As if nothing of an incomplete context had been written. */
  discard(): void {
    this.parser = undefined;
    this.reader = undefined;
    this.fault = undefined;
    this.refusal = undefined;
    this.end = undefined;
    this.taken = 0;
  }

  /** What is to take effect, once. A context that was written before a reset is none of the device any more. */
  takeComplete(): DeviceState | undefined {
    const state = this.completeState;
    this.complete = undefined;
    return state;
  }

  private get completeState(): DeviceState | undefined {
    return this.complete?.resets === this.device.resets ? this.complete.state : undefined;
  }

  private begin(): DeviceContextParser {
    this.discard();
    const reader = new DeviceContextReader(this.completeState ?? this.device.save());
    this.reader = reader;
    this.parser = new DeviceContextParser((event) => {
      if (event.kind === "fault") this.fault ??= event.fault;
      else if (event.kind === "end") this.end = event.at;
      else if (event.kind === "field" && event.field !== undefined && this.refusal === undefined) {
        try {
          reader.take(event.field);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          this.refusal = error.message;
        }
      }
    }, this.device.type.id);
    return this.parser;
  }

  private finish(latest: Uint8Array): void {
    const behind = latest.subarray(latest.length - (this.taken - (this.end ?? this.taken)));
    if (behind.length >= FILL || behind.some((byte) => byte !== 0)) {
      this.refuse(`${behind.length} bytes behind the last field`);
    }
    if (this.refusal !== undefined) this.refuse(this.refusal);
    const state = this.reader?.result;
    this.discard();
    if (state === undefined) return;
    try {
      this.device.verify(state);
    } catch (error) {
      if (error instanceof RangeError) throw invalidField(error.message);
      throw error;
    }
    this.complete = { state, resets: this.device.resets };
  }

  private refuse(reason: string): never {
    this.discard();
    throw invalidField(reason);
  }
}
