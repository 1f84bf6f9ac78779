/** Inspects the return path of a QEMU migration: what the destination said, which pages it asked for, and how it ended. */
import { walkColoMessage } from "../../generated/qemu/colo.js";
import { type QemuRpMessage, walkQemuRpMessage } from "../../generated/qemu/return-path.js";
import { type Fault, Reader } from "../runtime/index.js";
import { streamFault } from "../streams/faults.js";
import { coloMessageName } from "../streams/qemu/colo.js";
import {
  type ReturnPathColoEvent,
  type ReturnPathEvent,
  type ReturnPathMessageEvent,
  ReturnPathParser,
} from "../streams/qemu/return-path.js";
import { verdictOf } from "./fault-text.js";
import type { CaptureInspection, InspectOptions } from "./inspection.js";
import { CAPTURE_TITLES } from "./kinds.js";
import { TreeBuilder } from "./node.js";
import { elementPath, type Path } from "./path.js";
import {
  type CaptureRecord,
  type Fact,
  FaultList,
  hex,
  type Sink,
  type Summary,
  type Table,
} from "./report.js";

/** Blocks that requests can name, and values of PONG that are listed: a hostile file may have any number. */
const MAX_ROWS = 1000;

interface Row {
  readonly name: string;
  readonly at: number;
  count: number;
  bytes: number;
}

export class ReturnPathInspection implements CaptureInspection {
  private readonly sink: Sink;
  private readonly withFields: boolean;
  private readonly parser: ReturnPathParser;
  private readonly faults = new FaultList();
  private readonly types = new Map<string, Row>();
  private readonly requests = new Map<string, Row>();
  private readonly pongs: number[] = [];
  private shut: number | undefined;
  private pending: Fault[] = [];
  private bitmaps = 0;
  private gaps = 0;
  private size = 0;

  constructor(sink: Sink, options: InspectOptions) {
    this.sink = sink;
    this.withFields = options.withFields;
    this.parser = new ReturnPathParser((event) => this.take(event));
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  end(): Summary {
    this.parser.end();
    return {
      kind: "qemu-return-path",
      title: CAPTURE_TITLES["qemu-return-path"],
      size: this.size,
      facts: this.facts(),
      tables: [this.messageTable(), this.requestTable()].filter(({ rows }) => rows.length > 0),
      notes: [],
      faults: this.faults.faults,
      faultCount: this.faults.count,
      verdict: verdictOf(
        this.faults,
        this.parser.checkpoints === undefined
          ? "clean: every byte is accounted for, and the destination reports success"
          : "complete: every byte is accounted for",
      ),
    };
  }

  private take(event: ReturnPathEvent): void {
    switch (event.kind) {
      case "message":
        this.message(event);
        break;
      case "bitmap":
        this.emit("bitmap", event.block, elementPath("bitmaps", this.bitmaps++), event.at, event.size, {
          index: event.index,
          bitmap_size: event.bitmapSize,
          received_pages: event.received,
        });
        break;
      case "colo-message":
        this.coloMessage(event);
        break;
      case "gap":
        this.emit("gap", "unreadable", elementPath("gaps", this.gaps++), event.at, event.size, {});
        break;
      case "fault":
        this.blame(event.fault);
        break;
    }
  }

  /** A fault of the record that comes next. */
  private blame(fault: Fault): void {
    this.faults.add(fault);
    this.pending.push(fault);
  }

  private message({ index, at, bytes, message, request }: ReturnPathMessageEvent): void {
    const tree = new TreeBuilder(at);
    walkQemuRpMessage(new Reader(bytes, { base: at }), tree);
    const name = tree.roots[0]?.meaning ?? "unknown";
    count(this.types, name, at, bytes.length);
    if (request !== undefined) count(this.requests, request.block, at, request.length);
    if (message !== undefined) this.note(message, index, at);
    const value = message && answerOf(message);
    this.emit(
      "message",
      name,
      elementPath("messages", index),
      at,
      bytes.length,
      {
        index,
        ...(value === undefined ? {} : { value }),
        ...(request === undefined
          ? {}
          : { block: request.block, start: request.start, length: request.length }),
      },
      this.withFields ? tree.roots : undefined,
    );
  }

  private coloMessage({ index, at, bytes, message }: ReturnPathColoEvent): void {
    const tree = new TreeBuilder(at);
    walkColoMessage(new Reader(bytes, { base: at }), tree);
    const name = coloMessageName(message.message);
    count(this.types, name, at, bytes.length);
    const path = elementPath("messages", index);
    this.emit(
      "colo-message",
      name,
      path,
      at,
      bytes.length,
      { index },
      this.withFields ? tree.roots : undefined,
    );
  }

  private note({ data: { body } }: QemuRpMessage, index: number, at: number): void {
    if (body.case === "migRpMsgShut") {
      const { value } = body.value;
      this.shut = value;
      if (value !== 0) this.blame(failure(index, at, value));
    }
    if (body.case === "migRpMsgPong" && this.pongs.length < MAX_ROWS) this.pongs.push(body.value.value);
  }

  private emit(
    record: string,
    name: string,
    path: Path,
    at: number,
    size: number,
    attributes: CaptureRecord["attributes"],
    fields?: CaptureRecord["fields"],
  ): void {
    this.sink.record({ record, name, path, at, size, attributes, fields, faults: this.pending });
    this.pending = [];
  }

  private facts(): Fact[] {
    const { shut, pongs, requests } = this;
    const { checkpoints } = this.parser;
    const facts: Fact[] = [
      { key: "message_count", label: "messages", value: sum(this.types, (row) => row.count) },
      ...(checkpoints === undefined ? [resultOf(shut)] : checkpointFacts(checkpoints)),
    ];
    if (pongs.length > 0) facts.push({ key: "pongs", label: "pongs", value: pongs });
    if (requests.size > 0) {
      const bytes = sum(requests, (row) => row.bytes);
      const count = sum(requests, (row) => row.count);
      const text = `${count} ${count === 1 ? "request" : "requests"} for ${bytes} bytes`;
      facts.push({ key: "requested_bytes", label: "pages asked", value: bytes, text });
    }
    return facts;
  }

  private messageTable(): Table {
    return tableOf("messages", this.types, [
      { key: "offset", label: "offset", right: true },
      { key: "count", label: "count", right: true },
      { key: "size", label: "bytes", right: true },
      { key: "type", label: "message" },
    ]);
  }

  private requestTable(): Table {
    return tableOf("requests", this.requests, [
      { key: "offset", label: "offset", right: true },
      { key: "count", label: "requests", right: true },
      { key: "bytes", label: "bytes", right: true },
      { key: "block", label: "block" },
    ]);
  }
}

/** The message is sound; what it says is that the migration has failed, which the source takes for an error too. */
function failure(index: number, at: number, value: number): Fault {
  const detail = `${value}: the destination ended with an error`;
  return streamFault("qemu/return-path.wire", "constraint", `messages[${index}].value`, at, detail);
}

function resultOf(shut: number | undefined): Fact {
  const text =
    shut === undefined
      ? "unknown: no SHUT was sent"
      : shut === 0
        ? "success (SHUT 0)"
        : `failure (SHUT ${shut})`;
  return { key: "shut", label: "result", value: shut ?? "missing", text };
}

/** With COLO there is no end that the destination would report. */
function checkpointFacts({ begun, loaded }: { readonly begun: number; readonly loaded: number }): Fact[] {
  const text = `${begun}, ${begun === loaded ? "all" : loaded} of them loaded`;
  return [
    { key: "checkpoint_count", label: "checkpoints", value: begun, text },
    { key: "loaded_checkpoints", label: "loaded", value: loaded },
  ];
}

function answerOf({ data: { body } }: QemuRpMessage): number | undefined {
  switch (body.case) {
    case "migRpMsgShut":
    case "migRpMsgPong":
    case "migRpMsgResumeAck":
      return body.value.value;
    default:
      return undefined;
  }
}

function count(rows: Map<string, Row>, name: string, at: number, bytes: number): void {
  const row = rows.get(name);
  if (row !== undefined) {
    row.count++;
    row.bytes += bytes;
  } else if (rows.size < MAX_ROWS) rows.set(name, { name, at, count: 1, bytes });
}

function sum(rows: ReadonlyMap<string, Row>, of: (row: Row) => number): number {
  return [...rows.values()].reduce((total, row) => total + of(row), 0);
}

function tableOf(key: string, from: ReadonlyMap<string, Row>, columns: Table["columns"]): Table {
  const rows = [...from.values()];
  return {
    key,
    title: key,
    columns,
    rows: rows.map((row) => [
      { value: row.at, text: hex(row.at) },
      { value: row.count },
      { value: row.bytes },
      { value: row.name },
    ]),
    weights: rows.map((row) => row.count),
    briefs: rows.map(({ name }) => name),
  };
}
