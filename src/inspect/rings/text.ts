/** Writes virtqueues for people: a table for each device, and below it what is in flight and what is wrong. */
import { PvirtqDescFlags, VirtqDescFlags } from "../../../generated/virtio/ring.js";
import type {
  Chain,
  Descriptor,
  InFlight,
  PackedQueueRings,
  QueueRings,
  SplitQueueRings,
} from "../../streams/index.js";
import { hex, printable } from "../report.js";
import { numberText } from "../values.js";
import { type RingsReport, unknownAreas } from "./device.js";
import { diagnose } from "./diagnosis.js";

export interface RingsTextOptions {
  /** All buffers and descriptors, however many. */
  readonly isWhole: boolean;
}

/** Buffers of a queue, and descriptors of a buffer, that are shown. */
const SHOWN = 8;

const { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE, VIRTQ_DESC_F_INDIRECT } = VirtqDescFlags;
/** Those that say something of the buffer: whose it is, the position says. */
const FLAGS = [
  [VIRTQ_DESC_F_NEXT, "NEXT"],
  [VIRTQ_DESC_F_WRITE, "WRITE"],
  [VIRTQ_DESC_F_INDIRECT, "INDIRECT"],
  [PvirtqDescFlags.VIRTQ_DESC_F_AVAIL, "AVAIL"],
  [PvirtqDescFlags.VIRTQ_DESC_F_USED, "USED"],
] as const;

export function ringsText(reports: readonly RingsReport[], options: RingsTextOptions): string {
  const texts = reports.map((report) => deviceLines(report, options));
  const lines = texts.flatMap((text, i) => {
    // Devices of which there is one line stand together.
    const isApart = i > 0 && text.length + (texts[i - 1]?.length ?? 0) > 2;
    return isApart ? ["", ...text] : text;
  });
  return lines.map((line) => `${line}\n`).join("");
}

function deviceLines(report: RingsReport, options: RingsTextOptions): string[] {
  const { name, problem, rings } = report;
  if (rings === undefined) return [`${printable(name)}: ${printable(problem ?? "no state")}`];
  const { queues, queueCount, isPacked, isLittleEndian, eventIdx, isTranslated } = rings;
  const traits = [
    isPacked ? "packed" : `split, ${isLittleEndian ? "little" : "big"}-endian`,
    ...(eventIdx ? ["event index"] : []),
  ];
  const lines = [
    `${printable(name)}: ${queues.length} of ${queueCount} virtqueues set up${queues.length === 0 ? "" : `, ${traits.join(", ")}`}`,
  ];
  if (queues.length > 0) lines.push(...table(queues));
  if (queues.length > 0 && isTranslated) {
    lines.push(
      "  VIRTIO_F_ACCESS_PLATFORM: the addresses are taken to be guest-physical, which they are not behind an IOMMU of the guest",
    );
  }
  for (const queue of queues) lines.push(...details(report, queue, options));
  return lines;
}

const COLUMNS = [
  "VQ",
  "size",
  "avail.idx",
  "last_avail_idx",
  "used.idx",
  "waiting",
  "in flight",
  "",
] as const;

function table(queues: readonly QueueRings[]): string[] {
  const rows = [
    COLUMNS,
    ...queues.map((queue) => (queue.kind === "split" ? splitRow(queue) : packedRow(queue))),
  ];
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    `  ${row.map((cell, i) => (i === row.length - 1 ? cell : cell.padStart(widths[i] ?? 0))).join("  ")}`.trimEnd(),
  );
}

function splitRow(queue: SplitQueueRings): string[] {
  const { index, size, available, lastAvailable, used, delta, inUse, verdict } = queue;
  const isSound = verdict === "sound";
  const judged = isSound ? "sound" : verdict === undefined ? "not known" : "WRONG";
  return [
    ...[String(index), String(size), shown(available?.index), String(lastAvailable), shown(used?.index)],
    ...[isSound ? shown(delta) : "?", isSound ? shown(inUse) : "?", judged],
  ];
}

function packedRow({ index, size, available, used, inUse, content }: PackedQueueRings): string[] {
  const place = ({ slot, wrap }: PackedQueueRings["used"]): string => `${slot}/${wrap ? 1 : 0}`;
  const judged =
    content === undefined ? "not known" : content.isOverwritten ? "given back out of order" : "sound";
  return [
    ...[String(index), String(size), "-", place(available), place(used)],
    ...[shown(content?.waiting), String(inUse), judged],
  ];
}

function shown(value: number | undefined): string {
  return value === undefined ? "?" : String(value);
}

function details(report: RingsReport, queue: QueueRings, options: RingsTextOptions): string[] {
  const lines = unknownAreas(report, queue).map(
    ({ name, address, why }) => `    the ${name} at ${hex(address)} is not known: ${printable(why)}`,
  );
  const diagnosis = queue.kind === "split" ? diagnose(queue) : undefined;
  if (diagnosis !== undefined) {
    lines.push(`    QEMU: ${diagnosis.message}`, `    ${diagnosis.consequence}`, `    ${diagnosis.blame}`);
  }
  const chains = queue.kind === "split" ? queue.chains : (queue.content?.inFlight ?? []);
  lines.push(...inFlightLines(queue, chains, options));
  if (lines.length === 0) return [];
  return [`  VQ ${queue.index}: ${areasText(queue)}`, ...lines];
}

function areasText(queue: QueueRings): string {
  const { descriptorArea, driverArea, deviceArea } = queue;
  const areas =
    queue.kind === "split"
      ? ["descriptors", "available ring", "used ring"]
      : ["descriptor ring", "driver event suppression", "device event suppression"];
  const texts = [descriptorArea, driverArea, deviceArea].map((at, i) => `${areas[i]} at ${hex(at)}`);
  if (queue.kind === "split") {
    const { usedEvent } = queue.available ?? {};
    const { availableEvent } = queue.used ?? {};
    if (usedEvent !== undefined) texts.push(`used_event ${usedEvent}`);
    if (availableEvent !== undefined) texts.push(`avail_event ${availableEvent}`);
  }
  return texts.join(", ");
}

function inFlightLines(queue: QueueRings, chains: readonly Chain[], { isWhole }: RingsTextOptions): string[] {
  const lines: string[] = [];
  const inFlight = queue.kind === "split" ? queue.inFlight : undefined;
  if (inFlight?.isCertain === false) lines.push(`    ${doubtText(inFlight)}`);
  const limit = isWhole ? chains.length : SHOWN;
  for (const chain of chains.slice(0, limit)) lines.push(...chainLines(queue, chain, isWhole));
  if (chains.length > limit) lines.push(`    and ${chains.length - limit} more in flight (--all shows them)`);
  if (queue.saved !== undefined && queue.saved.length > 0)
    lines.push(`    ${savedText(queue.saved, chains)}`);
  return lines;
}

function doubtText({ count, heads, candidates }: InFlight): string {
  if (candidates.length > heads.length) {
    return `${count} of these ${candidates.length} are in flight, most likely ${listed(heads)}: what is given back out of order can be told apart by chance only`;
  }
  return "most likely these: what the device has kept for longer than the rings go back is not in them";
}

/** Whether the requests in flight that the device has saved are those in the ring. */
function savedText(saved: readonly number[], chains: readonly Chain[]): string {
  const heads = new Set(chains.map(({ head }) => head));
  const isSame = saved.length === heads.size && saved.every((head) => heads.has(head));
  return isSame
    ? "the device has saved the same requests"
    : `the device has saved other requests: ${listed(saved)}`;
}

function listed(heads: readonly number[]): string {
  const more = heads.length > SHOWN * 2 ? `, … (${heads.length})` : "";
  return `${heads.slice(0, SHOWN * 2).join(", ")}${more}`;
}

function chainLines(queue: QueueRings, { head, descriptors, fault }: Chain, isWhole: boolean): string[] {
  const what = queue.kind === "split" ? "head" : "buffer";
  const lines = [`    in flight: ${what} ${numberText(head)}`, ...descriptorLines(descriptors, 3, isWhole)];
  if (fault !== undefined) lines.push(`      broken off: ${fault.detail}`);
  return lines;
}

function descriptorLines(descriptors: readonly Descriptor[], depth: number, isWhole: boolean): string[] {
  const indent = "  ".repeat(depth);
  const limit = isWhole ? descriptors.length : SHOWN;
  const lines = descriptors
    .slice(0, limit)
    .flatMap(({ index, address, length, flags, indirect }) => [
      `${indent}${String(index).padStart(3)}  ${hex(address).padStart(12)}  ${length} ${length === 1 ? "byte" : "bytes"}, ${direction(flags)}${flagsText(flags)}`,
      ...(indirect === undefined ? [] : descriptorLines(indirect, depth + 2, isWhole)),
    ]);
  if (descriptors.length > limit) lines.push(`${indent}and ${descriptors.length - limit} more`);
  return lines;
}

function direction(flags: number): string {
  if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) return "a table";
  return (flags & VIRTQ_DESC_F_WRITE) === 0 ? "the device reads" : "the device writes";
}

function flagsText(flags: number): string {
  const names = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? "" : ` (${names.join(" | ")})`;
}
