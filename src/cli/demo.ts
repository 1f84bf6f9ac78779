/** `virtwire demo migrate`: a guest under load moves between two hosts, and every step is shown. */
import type { ArgsDef } from "citty";
import {
  type DemoResult,
  FORMATS,
  type Format,
  type MemberState,
  migrateDemo,
  type Recorder,
} from "../demo/index.js";
import { MigrationError, type MigrationEvent, type RoundReport } from "../device/index.js";
import type { CaptureKind } from "../inspect/kinds.js";
import { openInspection } from "../inspect/open.js";
import { TextRenderer } from "../inspect/text.js";
import { EXIT, type Io, UsageError, wantsColour } from "./io.js";
import { Progress } from "./progress.js";
import { recorded } from "./recording.js";
import { defineVerb, type Verb } from "./verb.js";

const MEBIBYTE = 2 ** 20;
const SMALLEST = 4;
const LARGEST = 1024;

const args = {
  scenario: {
    type: "positional",
    description:
      "migrate: a guest that writes to its disk, pings its gateway and changes its memory moves to another host.",
    required: true,
  },
  by: {
    type: "enum",
    options: [...FORMATS],
    default: "device-context",
    description: "How its devices move: the draft series' commands, those of virtio 1.4, or as VFIO devices.",
  },
  memory: {
    type: "string",
    valueHint: "MIB",
    default: "32",
    description: `Memory of the guest, ${SMALLEST} to ${LARGEST} MiB.`,
  },
  downtime: {
    type: "string",
    valueHint: "MS",
    default: "20",
    description: "The guest is stopped once it would stand still for no longer than this.",
  },
  record: {
    type: "string",
    valueHint: "FILE",
    description: "Write what the source sends to FILE, and what the destination answers to FILE.answers.",
  },
  verbose: { type: "boolean", alias: "v", description: "Show every field of the devices' states." },
} as const satisfies ArgsDef;

const examples = [
  "virtwire demo migrate",
  "virtwire demo migrate --by vfio --memory 256",
  "virtwire demo migrate --record guest.bin && virtwire inspect guest.bin",
  "virtwire demo migrate --downtime 0     # never: thirty rounds, then it is stopped all the same",
];

export function demoVerb(io: Io): Verb {
  return defineVerb({
    name: "demo",
    details: "Ctrl-C gives it up: the guest goes on where it was.",
    args,
    examples,
    exits: { ok: "the guest has moved", differs: "it was given up, and the guest goes on where it was" },
    run: async ({ scenario, by, memory, downtime, record, verbose }) => {
      if (scenario !== "migrate") throw new UsageError(`no scenario: ${JSON.stringify(scenario)} (migrate)`);
      const size = numberOf("--memory", memory, SMALLEST, LARGEST) * MEBIBYTE;
      const most = numberOf("--downtime", downtime, 0, 60_000);
      const move = (recorder?: Recorder): Promise<number> =>
        demonstrate(by, size, most, recorder, verbose ? 1 : 0, io);
      return await (record === undefined ? move() : recorded(record, move));
    },
  });
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw new UsageError(`${option} takes a whole number from ${least} to ${most}`);
  }
  return number;
}

async function demonstrate(
  format: Format,
  memory: number,
  downtime: number,
  record: Recorder | undefined,
  verbosity: number,
  io: Io,
): Promise<number> {
  const progress = new Progress(io, { after: 0 });
  const controller = new AbortController();
  io.interrupted().then(
    () => controller.abort(),
    () => {},
  );
  io.out(
    `A guest with ${memory / MEBIBYTE} MiB of memory, a disk and a network moves by ${format}.\n\n${HEAD}`,
  );
  let result: DemoResult;
  try {
    result = await migrateDemo({
      format,
      memory,
      downtime,
      onEvent: (event) => show(event, progress, io),
      signal: controller.signal,
      record,
    });
  } catch (error) {
    progress.end();
    if (!(error instanceof MigrationError)) throw error;
    io.out(`\nGiven up: ${error.message}. The guest goes on where it was, and has lost nothing.\n`);
    return EXIT.differs;
  }
  progress.end();
  io.out(summary(result));
  for (const [index, state] of result.states.entries()) {
    io.out(`\n${explained(state, `member ${index + 1}`, format, verbosity, io)}`);
  }
  return EXIT.ok;
}

function show(event: MigrationEvent, progress: Progress, io: Io): void {
  if (event.kind === "pages" && event.of !== undefined) {
    progress.show(`round ${event.round}`, event.pages / event.of);
  } else if (event.kind === "round") {
    progress.end();
    io.out(row(event.report));
  }
}

const COLUMNS: readonly (readonly [title: string, cell: (round: RoundReport) => string])[] = [
  ["round", ({ round, stopped }) => (stopped ? "stopped" : String(round))],
  ["pages", ({ pages }) => whole(pages)],
  ["of zeros", ({ zeroPages }) => whole(zeroPages)],
  ["state", ({ stateBytes }) => whole(stateBytes)],
  ["bytes", ({ bytes }) => whole(bytes)],
  ["ms", ({ milliseconds }) => milliseconds.toFixed(1)],
  ["MB/s", ({ bytesPerSecond }) => (bytesPerSecond / 1e6).toFixed(1)],
  ["dirty", ({ dirtyPages, stopped }) => (stopped ? "" : whole(dirtyPages))],
  ["ms, if stopped", ({ estimatedDowntime, stopped }) => (stopped ? "" : estimatedDowntime.toFixed(1))],
];
const WIDTHS: readonly number[] = [7, 9, 9, 7, 13, 9, 8, 7, 14];
const HEAD: string = line(COLUMNS.map(([title]) => title));

function row(round: RoundReport): string {
  return line(COLUMNS.map(([, cell]) => cell(round)));
}

function line(cells: readonly string[]): string {
  return `${cells
    .map((cell, i) => cell.padStart(WIDTHS[i] ?? 0))
    .join(" ")
    .trimEnd()}\n`;
}

function whole(count: number): string {
  return count.toLocaleString("en-US");
}

function summary({ sent, before, after }: DemoResult): string {
  return [
    "",
    `It stood still for ${sent.downtime.toFixed(1)} ms. ${whole(sent.bytes)} bytes went over in ${(sent.milliseconds / 1000).toFixed(2)} s.`,
    `Until it was stopped its disk had answered ${whole(before.requests)} requests and its gateway ${whole(before.pings)} pings,`,
    `at the end ${whole(after.requests)} and ${whole(after.pings)}: none lost, none twice; disk and memory hold what the guest has written.`,
    "",
  ].join("\n");
}

const KINDS: Readonly<Record<Format, CaptureKind>> = {
  "device-context": "device-context",
  "device-parts": "device-parts",
  vfio: "vfio-stream",
};

/** The state of a member, as `virtwire inspect` explains it. */
function explained(state: MemberState, name: string, format: Format, verbosity: number, io: Io): string {
  const text = new TextRenderer({ colour: wantsColour(io), verbosity, name });
  const inspection = openInspection(KINDS[format], text, { withFields: verbosity > 0, device: state.device });
  inspection.push(state.bytes);
  let shown = "";
  text.finish(inspection.end(), (piece) => {
    shown += piece;
  });
  return shown;
}
