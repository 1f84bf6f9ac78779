/** `virtwire explain`: what an error message of a failed migration means, and where its cause lies in the stream. */
import { existsSync } from "node:fs";
import type { ArgsDef } from "citty";
import {
  type Capture,
  CaptureCollector,
  explain,
  explanationsText,
  type Known,
  type Log,
  readLog,
} from "../inspect/explain/index.js";
import { printable } from "../inspect/report.js";
import { captureArgs, deviceId, readCapture } from "./capture.js";
import { type Input, openInput, refuseToReadTwice } from "./input.js";
import { Batch, EXIT, type Io, UsageError } from "./io.js";
import { withMemory } from "./ram/memory.js";
import { readRings } from "./ram/rings.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  log: {
    type: "positional",
    description: "The line, or a log with the lines around it: as text, as a file, or - for standard input.",
    required: true,
  },
  file: {
    type: "positional",
    description: "The stream that failed to load, and the files of its other channels.",
    required: false,
  },
  other: {
    type: "string",
    valueHint: "FILE",
    description: "A stream that the destination itself has saved: what differs is listed.",
  },
  device: {
    type: "string",
    valueHint: "TYPE",
    description: "Type of the virtio device, where the log does not say it (net, blk, vsock, …).",
  },
  snapshot: captureArgs.snapshot,
  format: { type: "enum", options: ["text", "json"], default: "text", description: "How to show it." },
} as const satisfies ArgsDef;

const examples = [
  'virtwire explain "Unknown savevm section type 126"',
  'virtwire explain "Features 0x130000002 unsupported. Allowed features: 0x179000000" --device vsock',
  'virtwire explain "get_pci_config_device: Bad config data: i=0x9a read: 3 device: 6" failed.bin',
  'virtwire explain "VQ 0 size 0x80 Guest index 0x12c inconsistent with Host index 0x134: delta 0xfff8" failed.bin',
  "virtwire explain destination.log failed.bin --other destination.bin",
  "journalctl -u libvirtd | virtwire explain -",
];

/** A log beyond this is not read whole: what matters in it are a few lines. */
const MAX_LOG = 64 << 20;
/** Lines that mean nothing known; the rest are counted. */
const SHOWN_UNKNOWN = 5;

interface ExplainArguments {
  readonly log: string;
  readonly files: readonly string[];
  readonly other: string | undefined;
  readonly device: string | undefined;
  readonly snapshot: string | undefined;
  readonly format: string;
}

export function explainVerb(io: Io): Verb {
  return defineVerb({
    name: "explain",
    args,
    examples,
    exits: { ok: "something was explained", differs: "nothing in it is known" },
    repeats: true,
    run: ({ log, other, device, snapshot, format, _: [, ...files] }) =>
      explainLog({ log, files, other, device, snapshot, format }, io),
  });
}

async function explainLog(given: ExplainArguments, io: Io): Promise<number> {
  refuseToReadTwice([given.log, ...given.files, given.other]);
  const device = given.device === undefined ? undefined : deviceId(given.device);
  const log = readLog(await textOf(given.log, io));
  const isKnown = log.sightings.length > 0;
  if (!isKnown && isMissingFile(given.log))
    throw new UsageError(`${given.log}: no such file, and no message that is known`);
  const failed = isKnown ? await failedOf(log, given, io) : {};
  const other = isKnown ? await captureOf(given.other, given.snapshot, io) : undefined;
  write(log, { ...failed, other, device }, given.format, io);
  return isKnown ? EXIT.ok : EXIT.differs;
}

/** The stream that failed, and its virtqueues where a message is about what stands in them. */
async function failedOf(
  { sightings }: Log,
  { files, snapshot }: ExplainArguments,
  io: Io,
): Promise<Pick<Known, "file" | "rings">> {
  const [first] = files;
  const needsRings = sightings.some(({ message }) => message.needsRings === true);
  if (first === undefined || !needsRings) return { file: await captureOf(first, snapshot, io) };
  return await withMemory({ files, snapshot }, io, async (memory) => {
    const main = memory.inputs[memory.main];
    const file = main && (await captureIn(main, io));
    return { file, rings: await readRings(memory, undefined, io) };
  });
}

/** What is no file is the line itself. */
async function textOf(log: string, io: Io): Promise<string> {
  if (log !== "-" && !existsSync(log)) return log;
  const input = openInput(log, io);
  try {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of input.chunks()) {
      if (text === "" && chunk.includes(0))
        throw new UsageError(`${input.name} is no log, but binary: the stream comes behind the log`);
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_LOG) throw new UsageError(`${input.name} is larger than ${MAX_LOG} characters`);
    }
    return text;
  } finally {
    input.close();
  }
}

/** Most who name a file that is not there do not want its name explained. */
function isMissingFile(log: string): boolean {
  return /^\S*(?:\/|\.\w+$)\S*$/.test(log) && !existsSync(log);
}

async function captureOf(
  path: string | undefined,
  snapshot: string | undefined,
  io: Io,
): Promise<Capture | undefined> {
  if (path === undefined) return undefined;
  const input = openInput(path, io, { snapshot });
  try {
    return await captureIn(input, io);
  } finally {
    input.close();
  }
}

async function captureIn(input: Input, io: Io): Promise<Capture | undefined> {
  const collector = new CaptureCollector(input.name);
  const options = { as: undefined, device: undefined, withFields: true };
  const summary = await readCapture(input, options, () => collector, io);
  return summary && collector.finish(summary);
}

function write({ sightings, unknown, unread }: Log, known: Known, format: string, io: Io): void {
  const batch = new Batch(io.out);
  const explanations = sightings.map((sighting) => explain(sighting, known));
  if (format === "json") {
    const lines = unknown.map(({ line, text }) => ({ line, text }));
    batch.write(`${JSON.stringify({ explanations, unknown: lines }, undefined, 2)}\n`);
  } else {
    batch.write(explanationsText(explanations));
  }
  batch.flush();
  if (sightings.length + unknown.length === 0) io.err("nothing to explain: the log is empty\n");
  for (const { line, text } of unknown.slice(0, SHOWN_UNKNOWN))
    io.err(`line ${line}: no message that is known: ${printable(shortened(text))}\n`);
  if (unknown.length > SHOWN_UNKNOWN) io.err(`${unknown.length - SHOWN_UNKNOWN} more lines are not known\n`);
  if (unread > 0) io.err(`${unread} more lines are not read: cut the log to the time of the failure\n`);
}

function shortened(text: string): string {
  return text.length <= 160 ? text : `${text.slice(0, 159)}…`;
}
