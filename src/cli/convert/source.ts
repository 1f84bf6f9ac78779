/** Reads the state of a device that is to be converted, whatever holds it. */
import {
  type Assumption,
  type DeviceState,
  type Loss,
  ownLosses,
  readQemuState,
  type StateFormat,
  StateReader,
} from "../../device/index.js";
import {
  CAPTURE_TITLES,
  type CaptureKind,
  DETECTION_SIZE,
  describeFault,
  detectKind,
  deviceByName,
  hex,
} from "../../inspect/index.js";
import { WireError } from "../../runtime/index.js";
import { type Input, openInput } from "../input.js";
import { EXIT, type Io, UsageError } from "../io.js";
import { withStreamDevice } from "./stream-device.js";

export interface SourceOptions {
  readonly files: readonly string[];
  readonly snapshot: string | undefined;
  /** What the first file is, where the bytes do not say it. */
  readonly as: string | undefined;
  /** In a stream of QEMU: the section; else the type of the device. */
  readonly device: string;
  readonly deviceFeatures: bigint | undefined;
}

export interface SourceState {
  readonly state: DeviceState;
  readonly assumed: readonly Assumption[];
  /** What only this format has. */
  readonly own: readonly Loss[];
  /** What it was, for people. */
  readonly title: string;
  readonly faults: number;
}

/** The captures that hold one device. */
const FORMATS: ReadonlyMap<CaptureKind, StateFormat> = new Map<CaptureKind, StateFormat>([
  ["device-context", "device-context"],
  ["device-parts", "device-parts"],
  ["vfio-stream", "vfio-virtio"],
]);

/** A number is the exit code: what is wrong has been said. */
export async function readSource(options: SourceOptions, io: Io): Promise<SourceState | number> {
  const [file = "", ...channels] = options.files;
  const kind = options.as ?? (await kindOf(file, options, io));
  if (kind === "qemu-stream") return readStream(options, io);
  const format = FORMATS.get(kind as CaptureKind);
  if (format === undefined) {
    throw new UsageError(
      `${file} holds no device: it is a ${CAPTURE_TITLES[kind as CaptureKind]}; a QEMU stream, a device context, device parts or a vfio-virtio stream is needed`,
    );
  }
  if (channels.length > 0) throw new UsageError("only a migration of QEMU has further channels");
  return readDevice(file, format, CAPTURE_TITLES[kind as CaptureKind], options, io);
}

async function kindOf(file: string, { snapshot }: SourceOptions, io: Io): Promise<string> {
  if (file === "-") throw new UsageError("what comes through a pipe has to be named: see --as");
  const input = openInput(file, io, { snapshot });
  try {
    const detected = detectKind(await firstBytes(input));
    if (detected.kind === "unsupported") throw new UsageError(`${file}: not supported: ${detected.what}`);
    if (detected.kind === "unknown")
      throw new UsageError(`${file}: no kind of capture that is known (see --as)`);
    return detected.kind;
  } finally {
    input.close();
  }
}

async function firstBytes(input: Input): Promise<Uint8Array> {
  const prefix = new Uint8Array(DETECTION_SIZE);
  let size = 0;
  for await (const chunk of input.chunks()) {
    const piece = chunk.subarray(0, prefix.length - size);
    prefix.set(piece, size);
    size += piece.length;
    if (size === prefix.length) break;
  }
  return prefix.subarray(0, size);
}

function readStream(options: SourceOptions, io: Io): Promise<SourceState | number> {
  const { device: wanted, deviceFeatures } = options;
  return withStreamDevice<SourceState | number>(
    options,
    wanted,
    io,
    ({ device, finder, memory, faults, input }) => {
      const { section, bytes, behind, place } = device;
      const reading = said(input.name, place.at, io, () =>
        readQemuState(bytes, section, { memory, deviceFeatures }),
      );
      if (reading === undefined) return EXIT.malformed;
      const { state, assumed } = reading;
      const title = `${input.name}, ${section.name}: QEMU migration stream of ${finder.machine ?? "an unnamed machine"}`;
      return { state, assumed, own: ownLosses(reading, behind), title, faults };
    },
  );
}

async function readDevice(
  file: string,
  format: StateFormat,
  title: string,
  { device, snapshot }: SourceOptions,
  io: Io,
): Promise<SourceState | number> {
  const type = deviceByName(device.slice(device.lastIndexOf("/") + 1).replace(/#\d+$/, ""));
  if (type === undefined) throw new UsageError(`no virtio device is called ${JSON.stringify(device)}`);
  const input = openInput(file, io, { snapshot });
  try {
    const reader = new StateReader(format, type);
    for await (const chunk of input.chunks()) reader.push(chunk);
    const reading = said(file, 0, io, () => reader.end());
    return reading === undefined
      ? EXIT.malformed
      : { ...reading, own: [], title: `${file}: ${title}`, faults: 0 };
  } finally {
    input.close();
  }
}

/** Undefined when the bytes are damaged: a state that is not whole is no state. `base`: what offsets count from. */
function said<T>(name: string, base: number, io: Io, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    io.err(`${name}:${hex(base + error.offset)}: ${describeFault(error)}\n`);
    return undefined;
  }
}
