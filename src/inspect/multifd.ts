/** Inspects a multifd channel: its packets, the pages that it brought by block, and the rounds that SYNC packets end. */
import {
  walkMultifdDeviceStatePacket,
  walkMultifdInit,
  walkMultifdPacketHeader,
  walkMultifdPageSizes,
  walkMultifdRamPacket,
} from "../../generated/qemu/multifd.js";
import { type Fault, Reader, type Visitor } from "../runtime/index.js";
import { MultifdParser } from "../streams/qemu/multifd.js";
import type {
  MultifdDeviceStateEvent,
  MultifdEvent,
  MultifdPagesEvent,
} from "../streams/qemu/multifd-events.js";
import { verdictOf } from "./fault-text.js";
import type { CaptureInspection, InspectOptions } from "./inspection.js";
import { CAPTURE_TITLES } from "./kinds.js";
import { type Node, TreeBuilder } from "./node.js";
import { elementPath, member, type Path } from "./path.js";
import { type CaptureRecord, type Fact, FaultList, type Sink, type Summary, type Table } from "./report.js";

/** Blocks and devices that are listed: a hostile file can name any number. */
const MAX_ROWS = 4096;

interface BlockRow {
  normal: number;
  zero: number;
  bytes: number;
}

interface DeviceRow {
  packets: number;
  bytes: number;
}

export class MultifdInspection implements CaptureInspection {
  private readonly sink: Sink;
  private readonly withFields: boolean;
  private readonly parser: MultifdParser;
  private readonly faults = new FaultList();
  private readonly blocks = new Map<string, BlockRow>();
  private readonly devices = new Map<string, DeviceRow>();
  private pending: Fault[] = [];
  private channel: number | undefined;
  private pageSize: number | undefined;
  private compression: string | undefined;
  private packets = 0;
  private syncs = 0;
  private gaps = 0;
  private size = 0;

  constructor(sink: Sink, options: InspectOptions) {
    this.sink = sink;
    this.withFields = options.withFields;
    this.parser = new MultifdParser((event) => this.take(event));
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  end(): Summary {
    this.parser.end();
    const packed = this.compression !== undefined && this.compression !== "none";
    return {
      kind: "qemu-multifd",
      title: CAPTURE_TITLES["qemu-multifd"],
      size: this.size,
      facts: this.facts(),
      tables: [this.blockTable(), this.deviceTable()].filter(({ rows }) => rows.length > 0),
      notes: packed
        ? [`the contents of pages are compressed by ${this.compression} and were passed over`]
        : [],
      faults: this.faults.faults,
      faultCount: this.faults.count,
      verdict: verdictOf(this.faults, "clean: every byte is accounted for"),
    };
  }

  private take(event: MultifdEvent): void {
    switch (event.kind) {
      case "init":
        this.channel = event.init.id;
        this.emit(
          "init",
          `channel ${event.init.id}`,
          [member("init")],
          event.at,
          event.size,
          { channel: event.init.id },
          this.fieldsOf(event, walkMultifdInit),
        );
        break;
      case "pages":
        this.pages(event);
        break;
      case "device-state":
        this.deviceState(event);
        break;
      case "gap":
        this.emit("gap", "unreadable", elementPath("gaps", this.gaps++), event.at, event.size, {});
        break;
      case "fault":
        this.faults.add(event.fault);
        this.pending.push(event.fault);
        break;
    }
  }

  private pages(event: MultifdPagesEvent): void {
    const { index, at, size, dataAt, dataSize, sync, compression, packet, pageSize, lengths } = event;
    const { normalPages, zeroPages, ramblock, packetNum } = packet;
    this.packets++;
    this.pageSize = pageSize;
    if (sync) this.syncs++;
    if (normalPages > 0) this.compression = compression;
    if (normalPages + zeroPages > 0) {
      const row = rowOf(this.blocks, ramblock, { normal: 0, zero: 0, bytes: 0 });
      row.normal += normalPages;
      row.zero += zeroPages;
      row.bytes += dataSize;
    }
    const attributes = {
      index,
      packet_num: packetNum,
      sync,
      normal_pages: normalPages,
      zero_pages: zeroPages,
      ...(dataSize > 0 ? { compression, data_offset: dataAt, data_size: dataSize } : {}),
    };
    const fields = this.fieldsOf(
      event,
      walkMultifdPacketHeader,
      (reader, visitor) => walkMultifdRamPacket(reader, visitor, packet.offset.length),
      (reader, visitor) => lengths === undefined || walkMultifdPageSizes(reader, visitor, lengths.length),
    );
    this.emit(
      "packet",
      ramblock || "SYNC",
      elementPath("packets", index),
      at,
      size + dataSize,
      attributes,
      fields,
    );
  }

  private deviceState(event: MultifdDeviceStateEvent): void {
    const { index, at, size, dataAt, dataSize, packet, vfio } = event;
    this.packets++;
    const row = rowOf(this.devices, `${packet.idstr} #${packet.instanceId}`, { packets: 0, bytes: 0 });
    row.packets++;
    row.bytes += dataSize;
    const attributes = {
      index,
      instance_id: packet.instanceId,
      data_offset: dataAt,
      data_size: dataSize,
      ...(vfio === undefined ? {} : { vfio_idx: vfio.idx, vfio_flags: vfio.flags }),
    };
    const fields = this.fieldsOf(event, walkMultifdPacketHeader, walkMultifdDeviceStatePacket);
    this.emit(
      "device-state",
      packet.idstr,
      elementPath("packets", index),
      at,
      size + dataSize,
      attributes,
      fields,
    );
  }

  private fieldsOf(
    { at, bytes }: { readonly at: number; readonly bytes: Uint8Array },
    ...walks: readonly ((reader: Reader, visitor: Visitor) => boolean)[]
  ): readonly Node[] | undefined {
    if (!this.withFields) return undefined;
    const tree = new TreeBuilder(at);
    const reader = new Reader(bytes, { base: at });
    for (const walk of walks) walk(reader, tree);
    return tree.roots;
  }

  private emit(
    record: string,
    name: string,
    path: Path,
    at: number,
    size: number,
    attributes: CaptureRecord["attributes"],
    fields?: readonly Node[],
  ): void {
    this.sink.record({ record, name, path, at, size, attributes, fields, faults: this.pending });
    this.pending = [];
  }

  private facts(): Fact[] {
    const { channel, pageSize, compression } = this;
    return [
      ...(channel === undefined ? [] : [{ key: "channel", label: "channel", value: channel }]),
      ...(pageSize === undefined ? [] : [{ key: "page_size", label: "page size", value: pageSize }]),
      ...(compression === undefined
        ? []
        : [{ key: "compression", label: "compression", value: compression }]),
      { key: "packets", label: "packets", value: this.packets },
      { key: "syncs", label: "SYNCs", value: this.syncs },
    ];
  }

  private blockTable(): Table {
    const rows = [...this.blocks];
    return {
      key: "ram",
      title: "guest memory",
      columns: [
        { key: "data_size", label: "bytes", right: true },
        { key: "normal", label: "pages", right: true },
        { key: "zero", label: "zero", right: true },
        { key: "name", label: "block" },
      ],
      rows: rows.map(([name, { normal, zero, bytes }]) => [
        { value: bytes },
        { value: normal },
        { value: zero },
        { value: name },
      ]),
      weights: rows.map(([, { normal, zero }]) => normal + zero),
      briefs: rows.map(([name]) => name),
    };
  }

  private deviceTable(): Table {
    const rows = [...this.devices];
    return {
      key: "devices",
      title: "device state",
      columns: [
        { key: "data_size", label: "bytes", right: true },
        { key: "packets", label: "packets", right: true },
        { key: "name", label: "device" },
      ],
      rows: rows.map(([name, { packets, bytes }]) => [{ value: bytes }, { value: packets }, { value: name }]),
      weights: rows.map(([, { bytes }]) => bytes),
      briefs: rows.map(([name]) => name),
    };
  }
}

/** The row of that name. Beyond the cap a row is made that no table shows. */
function rowOf<T>(rows: Map<string, T>, name: string, empty: T): T {
  const known = rows.get(name);
  if (known !== undefined) return known;
  if (rows.size < MAX_ROWS) rows.set(name, empty);
  return empty;
}
