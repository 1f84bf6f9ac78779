/**
 * Unpacks the pages of a multifd channel that is one compressed stream as a whole (zlib, zstd): whoever wants a page must
 * unpack all before it.
 */
import { Unzlib } from "fflate";
import type { MultifdRamPacket } from "../../../../generated/qemu/multifd.js";
import { ZstdUnpacker } from "../../containers/zstd.js";
import { ZstdFrames } from "../../containers/zstd-frames.js";
import type { MultifdCompression, MultifdPagesEvent } from "../multifd-events.js";
import type { PageSource, PageTarget } from "./page-source.js";

const MAX_WAITING = 64;
/** zlib makes a thousandfold of what it is given at most, all at once. */
const STEP = 1 << 14;

interface Inflater {
  push(bytes: Uint8Array): void;
}

/** Memory: a page, the window of the compression, and what one packet unpacks to. */
export class StreamPages implements PageSource {
  private readonly target: PageTarget;
  private inflater: Inflater | undefined;
  private page = new Uint8Array(0);
  private filled = 0;
  private ordinal = 0;
  /** Pages that the packets so far have announced, and the packets with pages that have not come out yet. */
  private announced = 0;
  private readonly waiting: { readonly packet: MultifdRamPacket; readonly first: number }[] = [];
  private newest: MultifdPagesEvent | undefined;
  private failed = false;

  constructor(target: PageTarget) {
    this.target = target;
  }

  packet(event: MultifdPagesEvent): void {
    this.newest = event;
    if (this.failed) return;
    // The source flushes behind each packet, but a library may hold back a few bytes until more have come.
    if (this.waiting.length === MAX_WAITING) {
      this.fail(`nothing came out of the last ${MAX_WAITING} packets`);
      return;
    }
    const { packet, pageSize, compression } = event;
    this.waiting.push({ packet, first: this.announced });
    this.announced += packet.normalPages;
    if (this.page.length !== pageSize) this.page = new Uint8Array(pageSize);
    this.inflater ??= this.open(compression);
  }

  private open(compression: MultifdCompression): Inflater {
    const take = (bytes: Uint8Array): void => this.unpacked(bytes);
    if (compression === "zlib") return new Unzlib(take);
    const unpacker = new ZstdUnpacker(take);
    return new ZstdFrames((event) => unpacker.event(event));
  }

  data(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length && !this.failed; at += STEP) {
        // The libraries keep what they are given until they can use it.
        this.inflater?.push(bytes.slice(at, at + STEP));
      }
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  end(): void {
    if (this.failed || this.ordinal === this.announced) return;
    this.fail(`${this.announced} pages were announced, ${this.ordinal} could be unpacked`);
  }

  private unpacked(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.ordinal === this.announced) throw new Error("more comes out of it than the packets announce");
      const taken = Math.min(bytes.length - at, this.page.length - this.filled);
      this.page.set(bytes.subarray(at, at + taken), this.filled);
      at += taken;
      this.filled += taken;
      if (this.filled === this.page.length) this.deliver();
    }
  }

  private deliver(): void {
    const [oldest] = this.waiting;
    this.filled = 0;
    if (oldest === undefined) return;
    const { packet, first } = oldest;
    const place = this.ordinal - first;
    this.target.page(this.ordinal++, packet, place, this.page);
    if (place + 1 === packet.normalPages) this.waiting.shift();
  }

  private fail(detail: string): void {
    this.failed = true;
    const { index = 0, dataAt = 0 } = this.newest ?? {};
    this.target.wrong(`packets[${index}].data`, dataAt, detail);
  }
}
