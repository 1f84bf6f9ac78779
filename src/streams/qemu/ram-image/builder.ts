/** Makes an image of the guest's memory from the streams of a migration: the main one first, then the channels. */
import type { Fault } from "../../../runtime/index.js";
import type { Description } from "../description.js";
import { MultifdParser } from "../multifd.js";
import { QemuStreamParser } from "../parser.js";
import { PreemptParser } from "../preempt.js";
import { ChannelPages } from "./channel-pages.js";
import { RamImage } from "./image.js";
import { ZERO_CODE } from "./location.js";
import { MainPages } from "./main-pages.js";

/** Takes the bytes of one stream. */
export interface StreamTarget {
  push(chunk: Uint8Array): void;
  /** The input is over. */
  end(): void;
}

export interface BuilderOptions {
  /** Multifd channels will be read, too. */
  readonly channels: boolean;
  readonly description: Description | undefined;
  /** Where the main stream begins in the file that offsets in it (of mapped-ram) are those of. */
  readonly origin?: number;
  /** Of a target page, when an earlier builder has found it out. */
  readonly pageSize: number | undefined;
  /** `input`: number of the input that is to blame. */
  readonly onFault: (fault: Fault, input: number) => void;
}

export class RamImageBuilder {
  readonly image: RamImage;
  /** What the configuration of the main stream says. */
  machine: string | undefined;
  capabilities: readonly string[] = [];
  private readonly options: BuilderOptions;
  private parser: QemuStreamParser | undefined;
  private pages: MainPages | undefined;
  /** The input that is being read. */
  private input = 0;

  constructor(options: BuilderOptions) {
    this.options = options;
    this.image = new RamImage({ channels: options.channels, onFault: (fault) => this.fault(fault) });
  }

  /** The size of a target page, once the main stream has been read. */
  get pageSize(): number | undefined {
    return this.parser?.ram.traits.pageSize;
  }

  /** Pages came before their size was known: another builder must start over, with the size. */
  get mustRestart(): boolean {
    return this.pages?.pageSizeMissed === true && this.pageSize !== undefined;
  }

  main(input: number): StreamTarget {
    this.input = input;
    const { description, pageSize, origin } = this.options;
    const pages = new MainPages(this.image, input, () => this.pageSize);
    const parser = new QemuStreamParser(
      (event) => {
        if (event.kind === "fault") this.fault(event.fault);
        else if (event.kind === "command") pages.command(event.command);
        else if (event.kind === "configuration") {
          this.machine = event.machine;
          this.capabilities = event.capabilities;
        }
      },
      { description, pageSize, pages, origin },
    );
    this.pages = pages;
    this.parser = parser;
    return {
      push: (chunk) => parser.push(chunk),
      end: () => {
        parser.end();
        this.declareAll();
      },
    };
  }

  channel(input: number): StreamTarget {
    this.input = input;
    const pages = new ChannelPages(this.image, input);
    return new MultifdParser((event) => {
      if (event.kind === "fault") this.fault(event.fault);
      else pages.take(event);
    });
  }

  /** Postcopy sends each page once: what came here was still missing in the main stream. */
  preempt(input: number): StreamTarget {
    this.input = input;
    const arrival = { round: 0xffff_ffff, wins: true };
    return new PreemptParser((event) => {
      if (event.kind === "fault") this.fault(event.fault);
      if (event.kind !== "page") return;
      const { block, offset, at } = event;
      if (at === undefined) this.image.put(block, offset, ZERO_CODE, arrival, 0);
      else this.image.putPlain(block, offset, input, at, arrival);
    }, this.pageSize);
  }

  /** Blocks of which the main stream brought no page are blocks all the same. */
  private declareAll(): void {
    const { pageSize } = this;
    for (const { name, usedLength } of this.parser?.ram.blocks.values() ?? []) {
      this.image.declare(name, usedLength, pageSize ?? LEAST_PAGE);
    }
  }

  private fault(fault: Fault): void {
    this.options.onFault(fault, this.input);
  }
}

/** Where nothing tells the size of a page, no page was there either. */
const LEAST_PAGE = 4096;
