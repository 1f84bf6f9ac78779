/** What the inspection knows of COLO's checkpoints: the sections of the one that is being read, and a row for each. */
import { walkColoMessage } from "../../../generated/qemu/colo.js";
import { type Fault, Reader } from "../../runtime/index.js";
import { coloMessageName } from "../../streams/qemu/colo.js";
import { deviceKey } from "../../streams/qemu/description.js";
import type {
  CheckpointBeginEvent,
  CheckpointEndEvent,
  ColoMessageEvent,
  SectionEvent,
} from "../../streams/qemu/events.js";
import { TreeBuilder } from "../node.js";
import { elementPath, type Path, printPath } from "../path.js";
import { type CaptureRecord, type Fact, hex, type Table } from "../report.js";
import { type Row, SectionRows } from "./rows.js";

/** Rows of the table; a machine that is protected for a day has more checkpoints. */
const MAX_ROWS = 1000;
/** Devices whose sizes are remembered; no machine has so many, but a hostile file may. */
const MAX_SECTIONS = 1 << 16;

interface Checkpoint {
  readonly index: number;
  readonly at: number;
  readonly path: Path;
  readonly sections: SectionRows;
  readonly sizes: Map<string, number>;
  readonly counts: { messages: number; ends: number; faults: number };
  readonly pages: { normal: number; zero: number; xbzrle: number };
  size: number;
  stateSize: number | undefined;
  complete: boolean;
  suspect: { readonly path: Path; readonly at: number } | undefined;
}

export class CheckpointRows {
  /** COLO has been switched on. */
  isExpected = false;
  private open: Checkpoint | undefined;
  private readonly rows: Checkpoint[] = [];
  /** How large the state of each device was in what was sound last. */
  private sizes: Map<string, number> = new Map();
  private begun = 0;
  private whole = 0;

  /** Of the checkpoint that is being read. */
  get path(): Path | undefined {
    return this.open?.path;
  }

  begin({ index, at }: CheckpointBeginEvent): void {
    const path = elementPath("checkpoints", index);
    this.begun++;
    this.open = {
      index,
      at,
      path,
      sections: new SectionRows(path),
      sizes: new Map(),
      counts: { messages: 0, ends: 0, faults: 0 },
      pages: { normal: 0, zero: 0, xbzrle: 0 },
      size: 0,
      stateSize: undefined,
      complete: false,
      suspect: undefined,
    };
    if (this.rows.length < MAX_ROWS) this.rows.push(this.open);
  }

  /** What came of the checkpoint. It has no bytes of its own: all of them are those of the records inside. */
  end({ at, beganAt, stateSize, complete }: CheckpointEndEvent): CaptureRecord | undefined {
    const { open } = this;
    if (open === undefined) return undefined;
    this.open = undefined;
    open.size = at - beganAt;
    open.stateSize = stateSize;
    open.complete = complete && open.counts.faults === 0;
    if (open.complete) {
      this.whole++;
      this.sizes = open.sizes;
    }
    const { normal, zero, xbzrle } = open.pages;
    return {
      record: "checkpoint",
      name: "checkpoint",
      path: open.path,
      at: beganAt,
      size: 0,
      attributes: {
        bytes: open.size,
        normal_pages: normal,
        zero_pages: zero,
        ...(xbzrle > 0 ? { xbzrle_pages: xbzrle } : {}),
        state_size: stateSize,
        section_count: open.sections.sections,
        ...(open.complete ? {} : { complete: false }),
      },
      fields: undefined,
      faults: [],
    };
  }

  message({ at, size, bytes, message }: ColoMessageEvent, withFields: boolean): CaptureRecord | undefined {
    const { open } = this;
    if (open === undefined) return undefined;
    const tree = withFields ? new TreeBuilder(at) : undefined;
    if (tree !== undefined) walkColoMessage(new Reader(bytes, { base: at }), tree);
    return {
      record: "colo-message",
      name: coloMessageName(message.message),
      path: [...open.path, ...elementPath("messages", open.counts.messages++)],
      at,
      size,
      attributes: { value: message.value },
      fields: tree?.roots,
      faults: [],
    };
  }

  /** The next EOF in the open checkpoint: the first ends its memory, the second its devices. */
  eofPath(): Path | undefined {
    const { open } = this;
    return open && [...open.path, ...elementPath("eof", open.counts.ends++)];
  }

  section(event: SectionEvent): Row | undefined {
    const { open } = this;
    if (event.phase === "full" && (open?.sizes ?? this.sizes).size < MAX_SECTIONS) {
      (open?.sizes ?? this.sizes).set(deviceKey(event.name, event.instanceId), event.bodySize);
    }
    if (open === undefined) return undefined;
    if (event.ram !== undefined) {
      open.pages.normal += event.ram.normal;
      open.pages.zero += event.ram.zero;
      open.pages.xbzrle += event.ram.xbzrle;
    }
    return open.sections.count(event);
  }

  /** A device does not fit its description. That may be so; but if its size is new, it is suspected when the sum is wrong. */
  misfit({ name, instanceId, bodySize, at }: SectionEvent, path: Path): void {
    const { open } = this;
    if (open !== undefined && this.sizes.get(deviceKey(name, instanceId)) !== bodySize)
      open.suspect ??= { path, at };
  }

  /** Where a fault of the sum of all devices is. */
  blameSum(fault: Fault): Fault {
    const suspect = this.open?.suspect;
    return suspect === undefined ? fault : { ...fault, path: printPath(suspect.path), offset: suspect.at };
  }

  /** Something in the open checkpoint is wrong. */
  blame(): void {
    if (this.open !== undefined) this.open.counts.faults++;
  }

  facts(): Fact[] {
    if (!this.isExpected) return [];
    const { begun, whole } = this;
    const text = `${begun}, ${begun === whole ? "all" : whole} of them whole`;
    return [
      { key: "checkpoint_count", label: "checkpoints", value: begun, text },
      { key: "whole_checkpoints", label: "whole", value: whole },
    ];
  }

  table(): Table {
    const { rows } = this;
    return {
      key: "checkpoints",
      title: "checkpoints",
      columns: [
        { key: "offset", label: "offset", right: true },
        { key: "size", label: "size", right: true },
        { key: "normal", label: "pages", right: true },
        { key: "zero", label: "zero", right: true },
        { key: "state_size", label: "devices", right: true },
        { key: "sections", label: "sections", right: true },
        { key: "index", label: "checkpoint" },
      ],
      rows: rows.map(({ index, at, size, pages, stateSize, sections, complete }) => [
        { value: at, text: hex(at) },
        { value: size },
        { value: pages.normal },
        { value: pages.zero },
        { value: stateSize, text: stateSize === undefined ? "unknown" : String(stateSize) },
        { value: sections.sections },
        { value: index, text: `${index}${complete ? "" : " (damaged or incomplete)"}` },
      ]),
      weights: rows.map(({ index, complete }) => (complete ? -index : Number.POSITIVE_INFINITY)),
      briefs: rows.map(({ index }) => String(index)),
    };
  }
}
