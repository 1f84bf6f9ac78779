/** Inspects the captures that are lists of elements: device contexts, device parts, and the records of vfio-virtio. */
import { virtiovfMigfHeaderTagName } from "../../generated/vfio/virtio-stream.js";
import { walkVirtioDevCtxFieldTlv } from "../../generated/virtio/device-context.js";
import { walkVirtioDevPart } from "../../generated/virtio/device-parts.js";
import { VirtioDeviceId, virtioDeviceIdName } from "../../generated/virtio/ids.js";
import { type Fault, Reader, type Visitor } from "../runtime/index.js";
import { type VfioStreamEvent, VfioStreamParser } from "../streams/vfio/records.js";
import { DeviceContextParser } from "../streams/virtio/context.js";
import { DevicePartsParser } from "../streams/virtio/parts.js";
import { topicOf } from "./element-topic.js";
import { verdictOf } from "./fault-text.js";
import { featureMeaning } from "./features.js";
import type { CaptureInspection, InspectOptions } from "./inspection.js";
import { CAPTURE_TITLES, type CaptureKind } from "./kinds.js";
import { type Node, TreeBuilder } from "./node.js";
import { elementPath, member, type Path } from "./path.js";
import {
  type CaptureRecord,
  type Fact,
  FaultList,
  hex,
  type Sink,
  type Summary,
  type Table,
} from "./report.js";

/** Rows that the summary's table can choose from: a stream may have any number of elements. */
const MAX_ROWS = 1000;

interface Row {
  readonly at: number;
  readonly size: number;
  readonly name: string;
  readonly topic: string;
}

interface Parser {
  push(chunk: Uint8Array): void;
  end(): void;
}

type Walk = (reader: Reader, visitor: Visitor, device: VirtioDeviceId) => boolean;

abstract class ElementInspection implements CaptureInspection {
  protected readonly faults = new FaultList();
  protected abstract readonly kind: CaptureKind;
  protected abstract readonly parser: Parser;
  private readonly sink: Sink;
  private readonly withFields: boolean;
  private readonly rows: Row[] = [];
  private pending: Fault[] = [];
  private gaps = 0;
  private size = 0;
  protected readonly device: VirtioDeviceId;

  constructor(sink: Sink, options: InspectOptions) {
    this.sink = sink;
    this.withFields = options.withFields;
    this.device = options.device ?? VirtioDeviceId.VIRTIO_ID_INVALID;
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  end(): Summary {
    this.parser.end();
    for (const fault of this.pending) this.faults.add(fault);
    const { kind, faults } = this;
    if (this.size === 0) this.notes.push("the input is empty");
    return {
      kind,
      title: CAPTURE_TITLES[kind],
      size: this.size,
      facts: [...this.deviceFact(), ...this.facts()],
      tables: this.rows.length === 0 ? [] : [this.table()],
      notes: this.notes,
      faults: faults.faults,
      faultCount: faults.count,
      verdict: verdictOf(faults, "clean: every byte is accounted for"),
    };
  }

  protected readonly notes: string[] = [];

  protected abstract facts(): Fact[];

  /** What the elements are called in the summary. */
  protected abstract readonly plural: string;

  /** A fault of the element that comes next. */
  protected blame(fault: Fault): void {
    this.pending.push(fault);
  }

  /** An element: its fields are walked to name it, and shown when that was asked for. */
  protected element(
    record: string,
    path: Path,
    at: number,
    bytes: Uint8Array,
    walk: Walk,
    nameOf: (fields: readonly Node[]) => string,
    attributes: CaptureRecord["attributes"] = {},
  ): void {
    const tree = new TreeBuilder(at, featureMeaning(this.device));
    walk(new Reader(bytes, { base: at }), tree, this.device);
    const faults = this.pending;
    this.pending = [];
    for (const fault of faults) this.faults.add(fault);
    const name = nameOf(tree.roots);
    this.sink.record({
      record,
      name,
      path,
      at,
      size: bytes.length,
      attributes,
      fields: this.withFields ? tree.roots : undefined,
      faults,
    });
    this.row(at, bytes.length, faults.length > 0 ? `${name} (damaged)` : name, topicOf(tree.roots));
  }

  protected row(at: number, size: number, name: string, topic = ""): void {
    if (this.rows.length < MAX_ROWS) this.rows.push({ at, size, name, topic });
  }

  protected gap(at: number, size: number): void {
    this.sink.record({
      record: "gap",
      name: "unreadable",
      path: elementPath("gaps", this.gaps++),
      at,
      size,
      attributes: {},
      fields: undefined,
      faults: [],
    });
  }

  protected emit(record: CaptureRecord): void {
    this.sink.record(record);
  }

  private deviceFact(): Fact[] {
    const { device } = this;
    if (device === VirtioDeviceId.VIRTIO_ID_INVALID) {
      return [{ key: "device", label: "device", value: "unknown", text: "unknown (see --device)" }];
    }
    return [{ key: "device", label: "device", value: virtioDeviceIdName(device) ?? device }];
  }

  private table(): Table {
    // A record is known whole when its parts have been.
    const rows = [...this.rows].sort((a, b) => a.at - b.at);
    return {
      key: this.plural,
      title: this.plural,
      columns: [
        { key: "offset", label: "offset", right: true },
        { key: "size", label: "size", right: true },
        { key: "type", label: "type" },
        { key: "of", label: "of" },
      ],
      rows: rows.map(({ at, size, name, topic }) => [
        { value: at, text: hex(at) },
        { value: size },
        { value: name },
        { value: topic },
      ]),
      // In the order of the bytes: the first ones are shown.
      weights: rows.map((_, index) => -index),
      briefs: rows.map(({ name }) => name),
    };
  }
}

/** The meaning of the first field: the type of a TLV or a part. */
function nameOfType(fields: readonly Node[]): string {
  const [type] = fields;
  if (type === undefined) return "unknown";
  return type.meaning ?? `type ${typeof type.value === "number" ? hex(type.value) : "unknown"}`;
}

export class DeviceContextInspection extends ElementInspection {
  protected readonly kind = "device-context";
  protected readonly plural = "fields";
  protected readonly parser: Parser;
  private fieldCount: number | undefined;

  constructor(sink: Sink, options: InspectOptions) {
    super(sink, options);
    this.parser = new DeviceContextParser((event) => {
      if (event.kind === "count") {
        this.fieldCount = event.fieldCount;
        this.emit({
          record: "count",
          name: "field_count",
          path: [member("field_count")],
          at: event.at,
          size: event.size,
          attributes: { field_count: event.fieldCount },
          fields: undefined,
          faults: [],
        });
      } else if (event.kind === "field") {
        const path = elementPath("fields", event.index);
        this.element("tlv", path, event.at, event.bytes, walkVirtioDevCtxFieldTlv, nameOfType, {
          index: event.index,
        });
      } else if (event.kind === "fault") this.blame(event.fault);
      else if (event.kind === "gap") this.gap(event.at, event.size);
    }, this.device);
  }

  protected facts(): Fact[] {
    return this.fieldCount === undefined
      ? []
      : [{ key: "field_count", label: "fields", value: this.fieldCount }];
  }
}

export class DevicePartsInspection extends ElementInspection {
  protected readonly kind = "device-parts";
  protected readonly plural = "parts";
  protected readonly parser: Parser;
  private count = 0;

  constructor(sink: Sink, options: InspectOptions) {
    super(sink, options);
    this.parser = new DevicePartsParser((event) => {
      if (event.kind === "part") {
        this.count++;
        const path = elementPath("parts", event.index);
        this.element("part", path, event.at, event.bytes, walkVirtioDevPart, nameOfType, {
          index: event.index,
        });
      } else if (event.kind === "fault") this.blame(event.fault);
      else this.gap(event.at, event.size);
    }, this.device);
  }

  protected facts(): Fact[] {
    return [{ key: "part_count", label: "parts", value: this.count }];
  }
}

export class VfioStreamInspection extends ElementInspection {
  protected readonly kind = "vfio-stream";
  protected readonly plural = "records";
  protected readonly parser: Parser;
  private records = 0;
  private parts = 0;
  private open = { name: "", at: 0 };

  constructor(sink: Sink, options: InspectOptions) {
    super(sink, options);
    this.parser = new VfioStreamParser((event) => this.take(event), this.device);
  }

  private take(event: VfioStreamEvent): void {
    switch (event.kind) {
      case "record": {
        const { recordSize, flags, tag } = event.header;
        const name = virtiovfMigfHeaderTagName(tag) ?? `tag ${hex(tag)}`;
        this.records++;
        this.open = { name, at: event.at };
        this.emit({
          record: "record",
          name,
          path: elementPath("records", event.index),
          at: event.at,
          size: event.size + recordSize,
          attributes: { index: event.index, record_size: recordSize, flags, tag },
          fields: undefined,
          faults: [],
        });
        break;
      }
      case "part":
        this.parts++;
        this.element(
          "part",
          this.partPath(event.index),
          event.at,
          event.bytes,
          walkVirtioDevPart,
          nameOfType,
          {
            record: this.records - 1,
            index: event.index,
          },
        );
        break;
      case "record-end":
        this.row(
          this.open.at,
          event.at - this.open.at,
          event.known ? this.open.name : `${this.open.name} (passed over)`,
        );
        break;
      case "fault":
        this.blame(event.fault);
        break;
      case "gap":
        this.gap(event.at, event.size);
        break;
    }
  }

  private partPath(index: number): Path {
    return [...elementPath("records", this.records - 1), ...elementPath("parts", index)];
  }

  protected facts(): Fact[] {
    return [
      { key: "record_count", label: "records", value: this.records },
      { key: "part_count", label: "parts", value: this.parts },
    ];
  }
}
