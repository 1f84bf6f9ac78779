/** The cursor that generated encoders share. */
import { type FaultCode, WireError } from "./errors.js";

export class Writer {
  bytes: Uint8Array;
  view: DataView;
  /** Index of the next byte. */
  at = 0;

  /** `target`: how many bytes to make room for at first, or memory to write into. It grows when it must. */
  constructor(target: number | Uint8Array = 256) {
    this.bytes = typeof target === "number" ? new Uint8Array(target) : target;
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  /** Makes room for `size` bytes and gives the index of the first. Their content is not defined. */
  take(size: number): number {
    const at = this.at;
    if (size > this.bytes.length - at) this.grow(at + size);
    this.at = at + size;
    return at;
  }

  put(bytes: Uint8Array): void {
    // Making room may replace the memory, so that comes first.
    const at = this.take(bytes.length);
    this.bytes.set(bytes, at);
  }

  /** Reserved bytes: as given, or zero. Throws `length` when another number of them is given. */
  putReserved(bytes: Uint8Array | undefined, size: number, path: string, schema: string): void {
    const at = this.take(size);
    if (bytes === undefined) this.bytes.fill(0, at, at + size);
    else if (bytes.length === size) this.bytes.set(bytes, at);
    else throw this.error("length", path, at, schema, `${size} bytes, given ${bytes.length}`);
  }

  /** What has been written, as a slice of the writer's memory. */
  written(from = 0): Uint8Array {
    // Encoding makes room for exactly what it writes: then a second view of all of it would be for nothing.
    if (from === 0 && this.at === this.bytes.length) return this.bytes;
    return this.bytes.subarray(from, this.at);
  }

  /** Starts over in the same memory. */
  reset(): this {
    this.at = 0;
    return this;
  }

  error(code: FaultCode, path: string, at: number, schema: string, detail?: string): WireError {
    return new WireError({ code, path, offset: at, need: undefined, had: undefined, detail, schema });
  }

  private grow(size: number): void {
    const bytes = new Uint8Array(Math.max(size, this.bytes.length * 2));
    bytes.set(this.bytes.subarray(0, this.at));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}

/** Passes on an encode error of something nested, which does not know what it is called here. */
export function inside(error: unknown, name: string, index = -1): unknown {
  if (!(error instanceof WireError)) return error;
  const here = index < 0 ? name : `${name}[${index}]`;
  const path =
    error.path === "" ? here : error.path.startsWith("[") ? here + error.path : `${here}.${error.path}`;
  return new WireError({ ...error, path });
}
