/**
 * Unpacks the pages of a compressed multifd channel, in the order in which the channel carries them. The whole channel is
 * one compressed stream, so whoever wants a page must unpack all before it.
 */
import { Unzlib } from "fflate";
import { Decompress } from "fzstd";
import type { MultifdRamPacket } from "../../../../generated/qemu/multifd.js";
import type { Fault } from "../../../runtime/index.js";
import { streamFault } from "../../faults.js";
import { type MultifdCompression, type MultifdEvent, MultifdParser } from "../multifd.js";

const SCHEMA = "qemu/multifd.wire";
const MAX_WAITING = 64;

interface Inflater {
  push(bytes: Uint8Array): void;
}

export interface UnpackHandler {
  /** Page `ordinal` of the channel, which is the one at an offset of a block. Lent until the handler returns. */
  page(ordinal: number, block: string, offset: number, bytes: Uint8Array): void;
  fault(fault: Fault): void;
}

/** Memory: a page, the window of the compression, and what one packet unpacks to. */
export class ChannelUnpacker {
  private readonly handler: UnpackHandler;
  private readonly parser: MultifdParser;
  private inflater: Inflater | undefined;
  private page = new Uint8Array(0);
  private filled = 0;
  private ordinal = 0;
  /** Pages that the packets so far have announced, and the packets with pages that have not come out yet. */
  private announced = 0;
  private readonly waiting: { readonly packet: MultifdRamPacket; readonly first: number }[] = [];
  private active = false;
  private failed = false;

  constructor(handler: UnpackHandler) {
    this.handler = handler;
    this.parser = new MultifdParser((event) => this.take(event), { data: (bytes) => this.data(bytes) });
  }

  push(chunk: Uint8Array): void {
    this.parser.push(chunk);
  }

  end(): void {
    this.parser.end();
    if (!this.failed && this.ordinal < this.announced) {
      this.fail(0, `${this.announced} pages were announced, ${this.ordinal} could be unpacked`);
    }
  }

  private take(event: MultifdEvent): void {
    if (event.kind !== "pages") {
      this.active = false;
      return;
    }
    const { packet, compression, pageSize, at } = event;
    this.active = packet.normalPages > 0 && compression !== "none" && !this.failed;
    if (!this.active) return;
    // The source flushes behind each packet, but a library may hold back a few bytes until more have come.
    if (this.waiting.length === MAX_WAITING) {
      this.fail(at, `nothing came out of the last ${MAX_WAITING} packets`);
      return;
    }
    this.waiting.push({ packet, first: this.announced });
    this.announced += packet.normalPages;
    if (this.page.length !== pageSize) this.page = new Uint8Array(pageSize);
    this.inflater ??= this.open(compression, at);
  }

  private open(compression: MultifdCompression, at: number): Inflater | undefined {
    const take = (bytes: Uint8Array): void => this.unpacked(bytes);
    switch (compression) {
      case "zlib":
        return new Unzlib(take);
      case "zstd":
        return new Decompress(take);
      default:
        this.fail(at, `no page compressed by ${compression} can be unpacked`);
        return undefined;
    }
  }

  private data(bytes: Uint8Array): void {
    if (!this.active || this.failed) return;
    try {
      // The libraries keep what they are given until they can use it.
      this.inflater?.push(bytes.slice());
    } catch (error) {
      this.fail(0, error instanceof Error ? error.message : String(error));
    }
  }

  private unpacked(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && this.ordinal < this.announced) {
      const taken = Math.min(bytes.length - at, this.page.length - this.filled);
      this.page.set(bytes.subarray(at, at + taken), this.filled);
      at += taken;
      this.filled += taken;
      if (this.filled === this.page.length) {
        this.deliver();
      }
    }
  }

  private deliver(): void {
    const [oldest] = this.waiting;
    this.filled = 0;
    if (oldest === undefined) return;
    const { packet, first } = oldest;
    const place = this.ordinal - first;
    this.handler.page(this.ordinal++, packet.ramblock, packet.offset[place] ?? 0, this.page);
    if (place + 1 === packet.normalPages) this.waiting.shift();
  }

  private fail(at: number, detail: string): void {
    this.failed = true;
    this.handler.fault(streamFault(SCHEMA, "constraint", "packets.data", at, detail));
  }
}
