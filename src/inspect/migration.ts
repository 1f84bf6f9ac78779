/**
 * Several captures as one migration: whether what the channels say fits together. It listens to the records and summaries of
 * the single inspections, in any order of the files.
 */
import type { Fault, FaultCode } from "../runtime/index.js";
import { streamFault } from "../streams/faults.js";
import { describeFault } from "./fault-text.js";
import type { CaptureKind } from "./kinds.js";
import { elementPath } from "./path.js";
import { type CaptureRecord, FaultList, type Sink, type Summary, type Table } from "./report.js";

const SCHEMA = "qemu/stream.wire";
/** PINGs, PONGs and blocks that are compared; a hostile file can have any number. */
const MAX_KEPT = 10_000;

interface Block {
  readonly size: number;
  readonly pages: number;
}

interface Request {
  readonly path: string;
  readonly at: number;
  /** First byte behind the pages that were asked for. */
  end: number;
}

interface Part {
  readonly index: number;
  readonly name: string;
  readonly kind: CaptureKind;
  summary: Summary | undefined;
}

export class MigrationCheck {
  private readonly parts: Part[] = [];
  private readonly faults = new FaultList();
  private readonly notes: string[] = [];
  private readonly pings: number[] = [];
  private readonly pongs: number[] = [];
  private readonly requests = new Map<string, Request>();
  private ram = { parts: 0, flushes: 0 };

  /** A file begins. Its records go to `sink` with paths that begin with the number of the file. */
  open(name: string, kind: CaptureKind, sink: Sink): Sink {
    const part: Part = { index: this.parts.length, name, kind, summary: undefined };
    this.parts.push(part);
    const root = elementPath("parts", part.index);
    return {
      record: (record) => {
        this.hear(part, record);
        sink.record({ ...record, path: [...root, ...record.path] });
      },
    };
  }

  /** The file that was opened last is over. */
  close(summary: Summary): void {
    const part = this.parts.at(-1);
    if (part !== undefined) part.summary = summary;
  }

  /** All files are over. */
  end(): Summary {
    const mains = this.of("qemu-stream");
    const [main] = mains;
    for (const { index, kind, name } of this.parts) {
      if (!kind.startsWith("qemu-")) this.wrong("tag", index, 0, `${name} is no channel of a QEMU migration`);
    }
    for (const { index } of mains.slice(1)) this.wrong("constraint", index, 0, "a second main channel");
    if (main?.summary === undefined) {
      this.notes.push("without the main channel there is little that the others could be compared with");
    } else if (this.parts.every(({ summary }) => summary?.faultCount === 0)) {
      // In damaged parts something is missing anyway.
      this.compare(main.index, main.summary);
    }
    return this.summary();
  }

  private hear(part: Part, { record, name, at, attributes }: CaptureRecord): void {
    const { value, block, start, length, multifd_flushes: flushes } = attributes;
    if (name === "MIG_CMD_PING" && typeof value === "number") keep(this.pings, value);
    if (name === "MIG_RP_MSG_PONG" && typeof value === "number") keep(this.pongs, value);
    if (part.kind === "qemu-stream" && record === "section" && name === "ram") {
      this.ram.parts++;
      if (typeof flushes === "number") this.ram.flushes += flushes;
    }
    if (typeof block !== "string" || typeof start !== "number" || typeof length !== "number") return;
    const known = this.requests.get(block);
    if (known === undefined) {
      if (this.requests.size === MAX_KEPT) return;
      this.requests.set(block, { path: `parts[${part.index}]`, at, end: start + length });
    } else known.end = Math.max(known.end, start + length);
  }

  private compare(main: number, summary: Summary): void {
    const blocks = blocksOf(summary);
    this.compareRounds();
    this.comparePages(main, summary, blocks);
    this.compareRequests(blocks);
    if (this.of("qemu-return-path").length > 0) this.comparePongs(main);
    this.compareCheckpoints(summary);
  }

  /** The secondary takes what the primary sends, and the connection may end behind any message. */
  private compareCheckpoints(main: Summary): void {
    const sent = fact(main, "checkpoint_count");
    for (const { index, summary } of this.of("qemu-return-path")) {
      const taken = fact(summary, "checkpoint_count");
      const loaded = fact(summary, "loaded_checkpoints") ?? 0;
      if (taken === undefined && sent === undefined) continue;
      const [begun = 0, whole = 0] = [sent, fact(main, "whole_checkpoints")];
      if ((taken ?? 0) <= begun && loaded <= whole && whole - loaded <= 1) continue;
      const detail = `the secondary has loaded ${loaded} checkpoints and begun ${taken ?? 0}, the primary has sent ${whole} of ${begun}`;
      this.wrong("constraint", index, 0, detail);
    }
  }

  /** Every channel takes part in every round, and their numbers have no gaps. */
  private compareRounds(): void {
    const channels = this.of("qemu-multifd");
    const rounds = this.ram.flushes || this.ram.parts;
    const numbers = new Set<number>();
    for (const { index, summary } of channels) {
      const syncs = fact(summary, "syncs");
      if (syncs !== rounds) {
        this.wrong("constraint", index, 0, `${syncs} SYNC packets, the main channel has ${rounds} rounds`);
      }
      const channel = fact(summary, "channel") ?? 0;
      if (numbers.has(channel)) this.wrong("constraint", index, 0, `channel ${channel} is there twice`);
      numbers.add(channel);
    }
    const highest = Math.max(-1, ...numbers);
    for (let channel = 0; channel < highest; channel++) {
      if (!numbers.has(channel)) {
        this.faults.add(
          streamFault(SCHEMA, "missing", "parts", 0, `channel ${channel} of multifd is not there`),
        );
      }
    }
  }

  /** Blocks exist, and have as many pages as they are long. */
  private comparePages(main: number, summary: Summary, blocks: ReadonlyMap<string, Block>): void {
    const pageSize = fact(summary, "page_size");
    const sent = new Map([...blocks].map(([name, { pages }]) => [name, pages]));
    const others = ["qemu-resumed", "qemu-multifd", "qemu-preempt"] as const;
    for (const part of others.flatMap((kind) => this.of(kind))) {
      const size = fact(part.summary, "page_size");
      if (pageSize !== undefined && size !== undefined && size !== pageSize) {
        this.wrong(
          "constraint",
          part.index,
          0,
          `pages of ${size} bytes, those of the main channel have ${pageSize}`,
        );
      }
      for (const [name, { pages }] of blocksOf(part.summary)) {
        const before = sent.get(name);
        if (before === undefined) {
          this.wrong(
            "constraint",
            part.index,
            0,
            `pages of ${JSON.stringify(name)}, which the main channel does not list`,
          );
        } else sent.set(name, before + pages);
      }
    }
    const capabilities = summary.facts.find(({ key }) => key === "capabilities")?.value;
    const may = (name: string): boolean => Array.isArray(capabilities) && capabilities.includes(name);
    // What is not in a mapped-ram file is zero.
    if (pageSize === undefined || may("mapped-ram")) return;
    for (const [name, { size }] of blocks) {
      const pages = sent.get(name) ?? 0;
      const wanted = Math.ceil(size / pageSize);
      if (pages >= wanted || (pages === 0 && may("x-ignore-shared"))) continue;
      const detail = `${pages} of the ${wanted} pages of ${name} are in these files: is a channel missing?`;
      this.wrong("missing", main, 0, detail);
    }
  }

  private compareRequests(blocks: ReadonlyMap<string, Block>): void {
    for (const [name, { path, at, end }] of this.requests) {
      const block = blocks.get(name);
      const detail =
        block === undefined
          ? `pages of ${JSON.stringify(name)} were asked for, which the main channel does not list`
          : `pages up to 0x${end.toString(16)} of ${name} were asked for, which has 0x${block.size.toString(16)} bytes`;
      if (block === undefined || end > block.size) {
        this.faults.add(streamFault(SCHEMA, "constraint", path, at, detail));
      }
    }
  }

  /** PONGs may overtake one another, but each answers a PING. */
  private comparePongs(main: number): void {
    const open = [...this.pings];
    for (const pong of this.pongs) {
      const at = open.indexOf(pong);
      if (at >= 0) open.splice(at, 1);
      else this.wrong("constraint", main, 0, `PONG ${pong} answers no PING`);
    }
    // Behind the last one that arrived, the connection may have broken.
    if (this.of("qemu-resumed").length > 0) return;
    for (const ping of open) this.wrong("missing", main, 0, `PING ${ping} was not answered`);
  }

  private of(kind: CaptureKind): readonly Part[] {
    return this.parts.filter((part) => part.kind === kind);
  }

  private wrong(code: FaultCode, part: number, at: number, detail: string): void {
    this.faults.add(streamFault(SCHEMA, code, `parts[${part}]`, at, detail));
  }

  private summary(): Summary {
    const { faults, parts } = this;
    const inParts = parts.reduce((sum, { summary }) => sum + (summary?.faultCount ?? 0), 0);
    return {
      kind: "qemu-migration",
      title: "QEMU migration",
      size: parts.reduce((sum, { summary }) => sum + (summary?.size ?? 0), 0),
      facts: [{ key: "files", label: "files", value: parts.length }],
      tables: [partTable(parts)],
      notes: this.notes,
      faults: faults.faults,
      faultCount: faults.count + inParts,
      verdict: this.verdict(faults.faults[0]),
    };
  }

  private verdict(first: Fault | undefined): string {
    const damaged = this.parts.filter(({ summary }) => (summary?.faultCount ?? 0) > 0);
    if (damaged.length > 0) return `damaged: ${damaged.map(({ index }) => `parts[${index}]`).join(", ")}`;
    if (first !== undefined) return `the files do not fit together: ${describeFault(first)}`;
    return this.notes.length > 0
      ? "no fault in any file"
      : "clean: no fault in any file, and all of them fit together";
  }
}

function partTable(parts: readonly Part[]): Table {
  return {
    key: "parts",
    title: "parts",
    columns: [
      { key: "index", label: "part", right: true },
      { key: "size", label: "bytes", right: true },
      { key: "faults", label: "faults", right: true },
      { key: "kind", label: "kind" },
      { key: "file", label: "file" },
    ],
    rows: parts.map(({ index, kind, name, summary }) => [
      { value: index },
      { value: summary?.size },
      { value: summary?.faultCount },
      { value: kind },
      { value: name },
    ]),
    weights: parts.map(({ index }) => -index),
    briefs: parts.map(({ name }) => name),
  };
}

/** From the table of guest memory: how long the blocks are, where it says so, and how many pages came. */
function blocksOf(summary: Summary | undefined): Map<string, Block> {
  const table = summary?.tables.find(({ key }) => key === "ram");
  const blocks = new Map<string, Block>();
  if (table === undefined) return blocks;
  const column = (row: Table["rows"][number], key: string): number => {
    const value = row[table.columns.findIndex((one) => one.key === key)]?.value;
    return typeof value === "number" ? value : 0;
  };
  const nameAt = table.columns.findIndex(({ key }) => key === "name");
  for (const row of table.rows) {
    const pages = column(row, "normal") + column(row, "zero") + column(row, "xbzrle");
    blocks.set(String(row[nameAt]?.value), { size: column(row, "size"), pages });
  }
  return blocks;
}

function fact(summary: Summary | undefined, key: string): number | undefined {
  const value = summary?.facts.find((one) => one.key === key)?.value;
  return typeof value === "number" ? value : undefined;
}

function keep(values: number[], value: number): void {
  if (values.length < MAX_KEPT) values.push(value);
}
