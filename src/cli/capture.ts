/** Reads a capture for a verb: finds out which kind it is, and pushes it through the inspection of that kind. */
import type { ArgsDef } from "citty";
import { deviceByName } from "../inspect/device-names.js";
import { describeFault } from "../inspect/fault-text.js";
import type { BorrowedDescription, CaptureInspection } from "../inspect/inspection.js";
import { CAPTURE_KINDS, type CaptureKind, DETECTION_SIZE } from "../inspect/kinds.js";
import { hex, type Sink, type Summary } from "../inspect/report.js";
import type { Description } from "../streams/qemu/description.js";
import type { StreamBefore } from "../streams/qemu/resumed.js";
import { findDescription } from "../streams/qemu/tail.js";
import { behind, type Source } from "./containers/source.js";
import { withWrappers } from "./containers/summary.js";
import type { Input } from "./input.js";
import { detect, openInspection } from "./inspections.js";
import { type Io, UsageError } from "./io.js";
import { Progress } from "./progress.js";

/** What every verb that reads captures takes. */
export const captureArgs = {
  as: {
    type: "enum",
    options: [...CAPTURE_KINDS],
    description: "What it is, where the bytes do not say it.",
  },
  device: {
    type: "string",
    valueHint: "TYPE",
    description:
      "Type of the virtio device, by name or number (net, blk, 1, …), where the capture does not say it.",
  },
  snapshot: {
    type: "string",
    valueHint: "NAME",
    description: "Name or id of the snapshot, in a qcow2 image with several.",
  },
} as const satisfies ArgsDef;

/** What the user says of a capture. */
export interface CaptureArguments {
  readonly as: string | undefined;
  readonly device: number | undefined;
  /** Of a qcow2 image. */
  readonly snapshot: string | undefined;
  /** Of another stream, for a QEMU stream without a description. */
  readonly borrowed: BorrowedDescription | undefined;
}

export interface CaptureOptions {
  readonly as: string | undefined;
  readonly device: number | undefined;
  readonly withFields: boolean;
  /** The sink can do with fields that are lent. */
  readonly lendsFields?: boolean;
  /** Of another stream, for a QEMU stream without a description. */
  readonly borrowed?: BorrowedDescription | undefined;
  /** The connection broke, and another file holds what came when it was taken up again. */
  readonly breaksOff?: boolean;
  /** What the stream before the break has told, and who is to know what this one has. */
  readonly before?: StreamBefore | undefined;
  readonly onHandOver?: (before: StreamBefore) => void;
}

/**
 * Records go to the sink that `open` gives for the kind. Undefined when nothing can be read of it: what it is has been
 * said on standard error.
 */
export async function readCapture(
  input: Input,
  options: CaptureOptions,
  open: (kind: CaptureKind) => Sink,
  io: Io,
): Promise<Summary | undefined> {
  const progress = new Progress(io, { size: input.size });
  let prefix = new Uint8Array(0);
  let inspection: CaptureInspection | undefined;
  const start = async (): Promise<string | undefined> => {
    const kind = options.as === undefined ? await detect(prefix) : { kind: options.as as CaptureKind };
    if (kind.kind === "unsupported") return `not supported: ${kind.what}`;
    if (kind.kind === "unknown")
      return prefix.length === 0 ? "empty" : "no kind of capture that is known (see --as)";
    inspection = await openInspection(kind.kind, open(kind.kind), {
      withFields: options.withFields,
      lendsFields: options.lendsFields,
      description: kind.kind === "qemu-stream" ? describe(input) : undefined,
      borrowed: options.borrowed,
      device: options.device,
      origin: input.origin,
      breaksOff: options.breaksOff,
      before: options.before,
    });
    inspection.push(prefix);
    return undefined;
  };
  let refusal: string | undefined;
  const skip = (limit: number): number => {
    const skipped = inspection?.skip?.(limit) ?? 0;
    progress.advance(skipped);
    return skipped;
  };
  for await (const chunk of skimmed(input, skip)) {
    progress.advance(chunk.length);
    if (inspection !== undefined) {
      inspection.push(chunk);
      continue;
    }
    prefix = joined(prefix, chunk);
    if (prefix.length < DETECTION_SIZE) continue;
    refusal = await start();
    if (refusal !== undefined) break;
  }
  if (inspection === undefined && refusal === undefined) refusal = await start();
  progress.end();
  if (inspection !== undefined) {
    const summary = inspection.end();
    if (inspection.handOver !== undefined) options.onHandOver?.(inspection.handOver());
    return withWrappers(summary, input);
  }
  const { damage } = input;
  const where = input.wrappers.map(({ kind }) => `${kind} › `).join("");
  if (damage === undefined) io.err(`${input.name}: ${where}${refusal}\n`);
  else io.err(`${input.name}:${hex(damage.offset)}: ${describeFault(damage)}\n`);
  return undefined;
}

/**
 * The chunks of an input but for what `skip` passes over, where the input can be read anywhere: the pages of a mapped-ram
 * file are nearly all of it, many of them holes on the disk that reading would fill with zeroes first.
 */
export async function* skimmed(input: Input, skip: (limit: number) => number): AsyncGenerator<Uint8Array> {
  const size = input.read === undefined ? undefined : input.size;
  let at = 0;
  let rest: Source | undefined = input;
  while (rest !== undefined) {
    const chunks: ReturnType<Source["chunks"]> = rest.chunks();
    rest = undefined;
    for await (const chunk of chunks) {
      at += chunk.length;
      yield chunk;
      const skipped = size === undefined ? 0 : skip(size - at);
      if (skipped === 0) continue;
      at += skipped;
      rest = behind(input, at);
      break;
    }
  }
}

/** Says in one line what is wrong first. */
export function blame(input: Input, summary: Summary, io: Io): void {
  const { damage } = input;
  const [fault] = summary.faults.filter((one) => one !== damage).sort((a, b) => a.offset - b.offset);
  // What a wrapper does not give is missing in what it holds: the cause comes first.
  for (const one of [damage, fault]) {
    if (one !== undefined) io.err(`${input.name}:${hex(one.offset)}: ${describeFault(one)}\n`);
  }
}

/** How far from the end a description is looked for, in steps: nearly all are found in the first. */
const TAILS = [1 << 17, 1 << 21, 1 << 24];

/** The description of a QEMU stream stands at its end; where one can read backwards it is known before the rest. */
export function describe(input: Input): Description | undefined {
  for (const size of TAILS) {
    const tail = input.tail(size);
    const found = tail && findDescription(tail);
    if (found !== undefined) return found;
    if (tail === undefined || tail.length < size) return undefined;
  }
  return undefined;
}

/** Throws `UsageError`. */
export function deviceId(text: string): number {
  const device = deviceByName(text);
  if (device === undefined) throw new UsageError(`no virtio device is called ${JSON.stringify(text)}`);
  return device;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
