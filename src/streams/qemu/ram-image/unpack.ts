/** Unpacks the pages of a compressed multifd channel, in the order in which the channel carries them. */
import type { Fault } from "../../../runtime/index.js";
import { streamFault } from "../../faults.js";
import { MultifdParser } from "../multifd.js";
import type { MultifdCompression, MultifdEvent } from "../multifd-events.js";
import type { PageSource, PageTarget } from "./page-source.js";
import { PacketPages } from "./unpack-packet.js";
import { StreamPages } from "./unpack-stream.js";

const SCHEMA = "qemu/multifd.wire";

export interface UnpackHandler {
  /** Page `ordinal` of the channel, which is the one at an offset of a block. Lent until the handler returns. */
  page(ordinal: number, block: string, offset: number, bytes: Uint8Array): void;
  fault(fault: Fault): void;
}

/** Memory: what one packet carries and what it unpacks to, and the window of the compression. */
export class ChannelUnpacker {
  private readonly parser: MultifdParser;
  private readonly target: PageTarget;
  private source: PageSource | undefined;
  private active = false;

  constructor(handler: UnpackHandler) {
    this.target = {
      page: (ordinal, { ramblock, offset }, place, bytes) =>
        handler.page(ordinal, ramblock, offset[place] ?? 0, bytes),
      wrong: (path, at, detail) => handler.fault(streamFault(SCHEMA, "constraint", path, at, detail)),
      fault: (fault) => handler.fault(fault),
    };
    this.parser = new MultifdParser((event) => this.take(event), {
      data: (bytes) => {
        if (this.active) this.source?.data(bytes);
      },
    });
  }

  push(chunk: Uint8Array): void {
    this.parser.push(chunk);
  }

  end(): void {
    this.parser.end();
    this.source?.end();
  }

  private take(event: MultifdEvent): void {
    this.active = event.kind === "pages" && event.packet.normalPages > 0 && event.compression !== "none";
    if (event.kind !== "pages" || !this.active) return;
    // A channel keeps to one compression: that it does not is a fault of the stream, which is reported where it is read.
    this.source ??= this.open(event.compression);
    this.source.packet(event);
  }

  private open(compression: MultifdCompression): PageSource {
    const { target } = this;
    return compression === "zlib" || compression === "zstd"
      ? new StreamPages(target)
      : new PacketPages(target);
  }
}
