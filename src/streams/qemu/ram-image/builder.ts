/** Makes an image of the guest's memory from the streams of a migration: the main one first, then the channels. */
import type { Fault } from "../../../runtime/index.js";
import type { Description } from "../description.js";
import { MultifdParser } from "../multifd.js";
import { QemuStreamParser } from "../parser.js";
import { type PreemptPageEvent, PreemptParser } from "../preempt.js";
import { ChannelPages } from "./channel-pages.js";
import { RamImage } from "./image.js";
import { ZERO_CODE } from "./location.js";
import { MainPages } from "./main-pages.js";

/** Takes the bytes of one stream. */
export interface StreamTarget {
  push(chunk: Uint8Array): void;
  /** How many bytes, at most `limit`, need not be pushed: nobody looks at them. */
  skip?(limit: number): number;
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
  /** The input that is being read, and where in its stream it begins. */
  private input = 0;
  private from = 0;

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

  /** `goesOn`: the connection broke, and `resumed` is called for what came after. */
  main(input: number, goesOn = false): StreamTarget {
    this.input = input;
    const { description, pageSize, origin } = this.options;
    const pages = new MainPages(this.image, input, () => this.pageSize);
    const parser = new QemuStreamParser(
      (event) => {
        if (event.kind === "fault") this.fault(event.fault, this.from);
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
    return this.targetOf(parser, goesOn);
  }

  /** The main channel of a postcopy migration that was taken up again. */
  resumed(input: number, goesOn: boolean): StreamTarget {
    const { parser } = this;
    if (parser === undefined) throw new Error("nothing has been read that could go on");
    this.input = input;
    this.from = parser.resume();
    this.pages?.resume(input, this.from);
    return this.targetOf(parser, goesOn);
  }

  private targetOf(parser: QemuStreamParser, goesOn: boolean): StreamTarget {
    return {
      push: (chunk) => parser.push(chunk),
      skip: (limit) => parser.skip(limit),
      end: () => {
        if (goesOn) return;
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

  /**
   * Postcopy sends each page once: what came here was still missing in the main stream. `mayBreak`: a connection broke, and
   * what it cut off came again on another.
   */
  preempt(input: number, mayBreak = false): StreamTarget {
    this.input = input;
    const arrival = { round: 0xffff_ffff, wins: true };
    // The content of a page is there when something follows it.
    let page: PreemptPageEvent | undefined;
    const put = (): void => {
      if (page === undefined) return;
      const { block, offset, at } = page;
      if (at === undefined) this.image.put(block, offset, ZERO_CODE, arrival, 0);
      else this.image.putPlain(block, offset, input, at, arrival);
      page = undefined;
    };
    const parser = new PreemptParser(
      (event) => {
        if (event.kind === "page") {
          put();
          page = event;
        } else if (event.kind === "fault") {
          if (mayBreak && event.fault.code === "truncated") page = undefined;
          else this.fault(event.fault);
        }
      },
      { pageSize: this.pageSize },
    );
    return {
      push: (chunk) => parser.push(chunk),
      end: () => {
        parser.end();
        put();
      },
    };
  }

  /** Blocks of which the main stream brought no page are blocks all the same. */
  private declareAll(): void {
    const { pageSize } = this;
    for (const { name, usedLength } of this.parser?.ram.blocks.values() ?? []) {
      this.image.declare(name, usedLength, pageSize ?? LEAST_PAGE);
    }
  }

  private fault(fault: Fault, from = 0): void {
    this.options.onFault({ ...fault, offset: fault.offset - from }, this.input);
  }
}

/** Where nothing tells the size of a page, no page was there either. */
const LEAST_PAGE = 4096;
