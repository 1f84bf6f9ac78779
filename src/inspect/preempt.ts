/** Inspects the channel of the capability postcopy-preempt: the pages that overtook those of the main channel. */
import type { Fault } from "../runtime/index.js";
import { type PreemptEvent, PreemptParser } from "../streams/qemu/preempt.js";
import { placed } from "./fault-place.js";
import { verdictOf } from "./fault-text.js";
import type { CaptureInspection, InspectOptions } from "./inspection.js";
import { CAPTURE_TITLES } from "./kinds.js";
import { elementPath } from "./path.js";
import { FaultList, hex, type Sink, type Summary } from "./report.js";

interface Row {
  normal: number;
  zero: number;
}

export class PreemptInspection implements CaptureInspection {
  private readonly sink: Sink;
  private readonly breaksOff: boolean;
  private readonly notes: string[] = [];
  private readonly parser: PreemptParser;
  private readonly faults = new FaultList();
  /** The parser takes no more than a few thousand names of blocks. */
  private readonly blocks = new Map<string, Row>();
  private pages = 0;
  private size = 0;

  constructor(sink: Sink, { breaksOff = false }: Pick<InspectOptions, "breaksOff">) {
    this.sink = sink;
    this.breaksOff = breaksOff;
    this.parser = new PreemptParser((event) => this.take(event));
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  end(): Summary {
    this.parser.end();
    const rows = [...this.blocks];
    const { pageSize } = this.parser;
    return {
      kind: "qemu-preempt",
      title: CAPTURE_TITLES["qemu-preempt"],
      size: this.size,
      facts: [
        ...(pageSize === undefined ? [] : [{ key: "page_size", label: "page size", value: pageSize }]),
        { key: "pages", label: "pages", value: this.pages },
      ],
      tables: [
        {
          key: "ram",
          title: "guest memory",
          columns: [
            { key: "normal", label: "pages", right: true },
            { key: "zero", label: "zero", right: true },
            { key: "name", label: "block" },
          ],
          rows: rows.map(([name, { normal, zero }]) => [{ value: normal }, { value: zero }, { value: name }]),
          weights: rows.map(([, { normal, zero }]) => normal + zero),
          briefs: rows.map(([name]) => name),
        },
      ],
      notes: this.notes,
      faults: this.faults.faults,
      faultCount: this.faults.count,
      verdict: verdictOf(this.faults, "clean: every byte is accounted for"),
    };
  }

  private take(event: PreemptEvent): void {
    switch (event.kind) {
      case "page": {
        const row = this.blocks.get(event.block) ?? { normal: 0, zero: 0 };
        this.blocks.set(event.block, row);
        if (event.at === undefined) row.zero++;
        else row.normal++;
        this.sink.record({
          record: "page",
          name: event.block,
          path: elementPath("pages", this.pages++),
          at: event.at ?? 0,
          size: event.at === undefined ? 0 : (this.parser.pageSize ?? 0),
          attributes: { block: event.block, offset: event.offset, zero: event.at === undefined },
          fields: undefined,
          faults: [],
        });
        break;
      }
      case "gap":
        this.sink.record({
          record: "gap",
          name: "unreadable",
          path: elementPath("gaps", 0),
          at: event.at,
          size: event.size,
          attributes: {},
          fields: undefined,
          faults: [],
        });
        break;
      case "fault":
        this.fault(event.fault);
        break;
    }
  }
  /**
   * A fault ends the reading: what is wrong begins where the bytes begin that are not read any more, or is the page whose
   * content is not all there.
   */
  private fault(fault: Fault): void {
    if (this.breaksOff && fault.code === "truncated") {
      this.notes.push(`the connection broke at ${hex(this.size)}: what was not whole came again`);
      return;
    }
    const path = this.parser.isInsidePage ? elementPath("pages", this.pages - 1) : elementPath("gaps", 0);
    this.faults.add(placed(fault, "ram", { path }));
  }
}
