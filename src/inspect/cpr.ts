/** Inspects the state of CPR: which open descriptors a QEMU hands to its successor. */
import { type CprFd, walkCprFd, walkCprHead } from "../../generated/qemu/cpr.js";
import { type Fault, Reader, type Visitor } from "../runtime/index.js";
import { type CprEvent, CprParser } from "../streams/qemu/cpr.js";
import { verdictOf } from "./fault-text.js";
import type { CaptureInspection, InspectOptions } from "./inspection.js";
import { CAPTURE_TITLES } from "./kinds.js";
import { TreeBuilder } from "./node.js";
import { elementPath, member, type Path } from "./path.js";
import { FaultList, type Sink, type Summary } from "./report.js";

/** Rows that the summary's table can choose from: a hostile list has no end. */
const MAX_ROWS = 1000;

export class CprInspection implements CaptureInspection {
  private readonly sink: Sink;
  private readonly withFields: boolean;
  private readonly parser: CprParser = new CprParser((event) => this.take(event));
  private readonly faults = new FaultList();
  private readonly rows: { readonly name: string; readonly id: number }[] = [];
  private pending: Fault[] = [];
  private count = 0;
  private size = 0;

  constructor(sink: Sink, options: InspectOptions) {
    this.sink = sink;
    this.withFields = options.withFields;
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  end(): Summary {
    this.parser.end();
    for (const fault of this.pending) this.faults.add(fault);
    const { faults, rows } = this;
    return {
      kind: "qemu-cpr",
      title: CAPTURE_TITLES["qemu-cpr"],
      size: this.size,
      facts: [{ key: "descriptors", label: "descriptors", value: this.count }],
      tables: [
        {
          key: "fds",
          title: "descriptors",
          columns: [
            { key: "id", label: "id", right: true },
            { key: "name", label: "name" },
          ],
          rows: rows.map(({ id, name }) => [{ value: id }, { value: name }]),
          weights: rows.map((_, index) => -index),
          briefs: rows.map(({ name }) => name),
        },
      ].filter((table) => table.rows.length > 0),
      notes: ["the descriptors themselves travel beside these bytes, as ancillary data of the socket"],
      faults: faults.faults,
      faultCount: faults.count,
      verdict: verdictOf(faults, "clean: every byte is accounted for"),
    };
  }

  private take(event: CprEvent): void {
    switch (event.kind) {
      case "head":
        this.put("head", "QCPR", [member("head")], event, walkCprHead);
        break;
      case "fd": {
        const name = nameOf(event.fd);
        this.count++;
        if (this.rows.length < MAX_ROWS) this.rows.push({ name, id: event.fd.id });
        this.put("fd", name, elementPath("fds", event.index), event, walkCprFd, { id: event.fd.id });
        break;
      }
      case "end":
        this.bare("end", "end", [member("end")], event.at, 1);
        break;
      case "gap":
        this.bare("gap", "unreadable", elementPath("gaps", 0), event.at, event.size);
        break;
      case "fault":
        this.pending.push(event.fault);
        break;
    }
  }

  private put(
    record: string,
    name: string,
    path: Path,
    { at, bytes }: { readonly at: number; readonly bytes: Uint8Array },
    walk: (reader: Reader, visitor: Visitor) => boolean,
    attributes: { readonly id?: number } = {},
  ): void {
    const tree = this.withFields ? new TreeBuilder(at) : undefined;
    if (tree !== undefined) walk(new Reader(bytes, { base: at }), tree);
    const faults = this.pending;
    this.pending = [];
    for (const fault of faults) this.faults.add(fault);
    const fields = tree?.roots;
    this.sink.record({ record, name, path, at, size: bytes.length, attributes, fields, faults });
  }

  private bare(record: string, name: string, path: Path, at: number, size: number): void {
    this.sink.record({ record, name, path, at, size, attributes: {}, fields: undefined, faults: [] });
  }
}

/** The NUL that ends it is counted. */
function nameOf({ name }: CprFd): string {
  return name.endsWith("\0") ? name.slice(0, -1) : name;
}
