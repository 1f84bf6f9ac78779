/**
 * Unpacks the pages of a multifd channel whose packets do not depend on one another: those of accelerators. QPL and UADK
 * compress page by page, QATzip all pages of a packet. What is damaged costs a page, or the rest of a packet.
 */
import { inflateSync, unzlibSync } from "fflate";
import { MULTIFD_ZLIB_TRAILER_SIZE, readMultifdZlibTrailer } from "../../../../generated/qemu/multifd.js";
import {
  readQatzipFooter,
  readQatzipHeader,
  scanQatzipFooter,
  scanQatzipHeader,
} from "../../../../generated/qemu/qatzip.js";
import { type Fault, Reader } from "../../../runtime/index.js";
import { adler32, crc32 } from "../../checksums.js";
import { under } from "../../faults.js";
import type { MultifdPagesEvent } from "../multifd-events.js";
import type { PageSource, PageTarget } from "./page-source.js";

type Inflate = typeof inflateSync;

/** Memory: what one packet carries and what it unpacks to, 1.5 MiB at most. */
export class PacketPages implements PageSource {
  private readonly target: PageTarget;
  private event: MultifdPagesEvent | undefined;
  /** Of the packet whose data is coming. */
  private packed = new Uint8Array(0);
  private filled = 0;
  private unpacked = new Uint8Array(0);
  /** Of the first of its pages. */
  private first = 0;
  private next = 0;

  constructor(target: PageTarget) {
    this.target = target;
  }

  packet(event: MultifdPagesEvent): void {
    // A packet without data is a fault of the stream, and has been reported.
    this.event = event.dataSize > 0 ? event : undefined;
    this.filled = 0;
    this.first = this.next;
    this.next += event.packet.normalPages;
    // The schema caps what a packet says of its size.
    if (this.packed.length < event.dataSize) this.packed = new Uint8Array(event.dataSize);
  }

  data(bytes: Uint8Array): void {
    const { event } = this;
    if (event === undefined) return;
    this.packed.set(bytes, this.filled);
    this.filled += bytes.length;
    if (this.filled < event.dataSize) return;
    this.event = undefined;
    const packed = this.packed.subarray(0, this.filled);
    if (event.compression === "qatzip") this.members(event, packed);
    else this.pages(event, packed);
  }

  end(): void {
    const { event } = this;
    if (event === undefined) return;
    const detail = `${this.filled} of ${event.dataSize} bytes are there`;
    this.target.wrong(`packets[${event.index}].data`, event.dataAt, detail);
  }

  /** QPL: deflate. UADK: zlib. A page that did not get smaller is there as it was. */
  private pages(
    { compression, index, packet, pageSize, lengths, dataAt }: MultifdPagesEvent,
    packed: Uint8Array,
  ): void {
    // What is wrong with the lengths is a fault of the stream, and has been reported.
    let at = 0;
    for (const [place, length] of (lengths ?? []).entries()) {
      const page = packed.subarray(at, at + length);
      let content: Uint8Array | string = page;
      if (length < pageSize) {
        content =
          compression === "qpl" ? this.inflated(inflateSync, page, pageSize) : this.zlib(page, pageSize);
      }
      if (typeof content !== "string") this.target.page(this.first + place, packet, place, content);
      else this.target.wrong(`packets[${index}].data.pages[${place}]`, dataAt + at, content);
      at += length;
    }
  }

  private zlib(page: Uint8Array, size: number): Uint8Array | string {
    const content = this.inflated(unzlibSync, page, size);
    if (typeof content === "string") return content;
    const trailer = readMultifdZlibTrailer(new Reader(page.subarray(-MULTIFD_ZLIB_TRAILER_SIZE)));
    return trailer.adler32 === adler32(content) ? content : "the page does not have its checksum";
  }

  /** What is to have `size` bytes; a text says why it cannot be had. */
  private inflated(inflate: Inflate, packed: Uint8Array, size: number): Uint8Array | string {
    const out = this.room(size);
    try {
      const { length } = inflate(packed, { out });
      if (length === size) return out.subarray(0, size);
      return length < size ? `${length} bytes for a page of ${size}` : `more than a page of ${size} bytes`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** One byte more, in which it shows that more would come: the library does not say so. */
  private room(size: number): Uint8Array {
    if (this.unpacked.length < size + 1) this.unpacked = new Uint8Array(size + 1);
    return this.unpacked.subarray(0, size + 1);
  }

  private members(event: MultifdPagesEvent, packed: Uint8Array): void {
    const { index, packet, pageSize, dataAt } = event;
    const size = packet.normalPages * pageSize;
    const content = this.room(size);
    const reader = new Reader(packed, { base: dataAt });
    let filled = 0;
    let place = 0;
    for (let number = 0; filled < size || reader.at < reader.end; number++) {
      const path = `packets[${index}].data.members[${number}]`;
      const at = reader.base + reader.at;
      const member = this.member(reader, content.subarray(filled, size + 1));
      if (typeof member === "string") this.target.wrong(path, at, member);
      else if (typeof member !== "number") this.target.fault(under(path, member));
      if (typeof member !== "number") return;
      filled += member;
      for (; (place + 1) * pageSize <= filled; place++) {
        const page = content.subarray(place * pageSize, (place + 1) * pageSize);
        this.target.page(this.first + place, packet, place, page);
      }
    }
  }

  /** Unpacks a member to the front of `content`, which is a byte longer than what is missing. Gives its size. */
  private member(reader: Reader, content: Uint8Array): number | string | Fault {
    const { at, end } = reader;
    if (!scanQatzipHeader(reader)) return reader.fault as Fault;
    reader.at = at;
    const { srcSz, destSz } = readQatzipHeader(reader);
    const missing = content.length - 1;
    if (srcSz === 0 || srcSz > missing) return `a member of ${srcSz} bytes, where ${missing} are missing`;
    const from = reader.at;
    if (destSz > end - from) return `${destSz} bytes of deflate, where ${end - from} are left`;
    reader.at += destSz;
    const footerAt = reader.at;
    if (!scanQatzipFooter(reader)) return reader.fault as Fault;
    reader.at = footerAt;
    const { crc32: checksum, iSize } = readQatzipFooter(reader);
    if (iSize !== srcSz) return `${srcSz} bytes in the header, ${iSize} in the footer`;
    const out = content.subarray(0, srcSz + 1);
    let { length } = out;
    try {
      ({ length } = inflateSync(reader.bytes.subarray(from, footerAt), { out }));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    if (length !== srcSz) return `the member unpacks to other than its ${srcSz} bytes`;
    return crc32(out.subarray(0, srcSz)) === checksum ? srcSz : "the member does not have its checksum";
  }
}
