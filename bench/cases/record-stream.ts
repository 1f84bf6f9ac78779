/**
 * A stream of records, 16 bytes of head and a payload, that comes in chunks: decoded record by record, and with payloads of
 * 4 KiB lent to the handler. The baseline is the incremental parser that one writes for this format and no other.
 */
import { encodeStreamRecord, RecordStreamParser, type StreamRecord } from "../generated/messages.js";
import type { Case } from "../measure.js";

const HEAD = 16;

function streamOf(records: number, sizeOf: (i: number) => number): Uint8Array {
  const parts = Array.from({ length: records }, (_, i) =>
    encodeStreamRecord({ flags: i & 1, tag: i, data: new Uint8Array(sizeOf(i)).fill(i) }),
  );
  const stream = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    stream.set(part, at);
    at += part.length;
  }
  return stream;
}

function cut(stream: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(stream.length / size) }, (_, i) =>
    stream.subarray(i * size, (i + 1) * size),
  );
}

/** Small records, decoded whole. The head is read where it lies; what straddles two chunks is gathered. */
class HandParser {
  private held = new Uint8Array(0);
  private readonly onRecord: (record: StreamRecord) => void;

  constructor(onRecord: (record: StreamRecord) => void) {
    this.onRecord = onRecord;
  }

  push(chunk: Uint8Array): void {
    let bytes = chunk;
    let at = 0;
    if (this.held.length > 0) {
      // Only as much of the chunk as the record in hand needs is copied.
      const missing = this.missing(this.held, chunk);
      const joined = new Uint8Array(this.held.length + Math.min(missing, chunk.length));
      joined.set(this.held);
      joined.set(chunk.subarray(0, joined.length - this.held.length), this.held.length);
      if (missing > chunk.length) {
        this.held = joined;
        return;
      }
      this.parse(joined, 0);
      this.held = new Uint8Array(0);
      at = missing;
    }
    at = this.parse(bytes, at);
    if (at < bytes.length) {
      bytes = bytes.subarray(at);
      this.held = bytes.slice();
    }
  }

  private missing(held: Uint8Array, chunk: Uint8Array): number {
    let head = held;
    if (held.length < HEAD) {
      head = new Uint8Array(HEAD);
      head.set(held);
      head.set(chunk.subarray(0, HEAD - held.length), held.length);
      if (held.length + chunk.length < HEAD) return HEAD - held.length;
    }
    return HEAD + this.sizeAt(new DataView(head.buffer, head.byteOffset), 0) - held.length;
  }

  private sizeAt(view: DataView, at: number): number {
    const size = view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
    if (size > Number.MAX_SAFE_INTEGER) throw new RangeError("above 2^53");
    return size;
  }

  private parse(bytes: Uint8Array, start: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = start;
    while (bytes.length - at >= HEAD) {
      const size = this.sizeAt(view, at);
      if (bytes.length - at - HEAD < size) break;
      this.onRecord({
        flags: view.getUint32(at + 8, true),
        tag: view.getUint32(at + 12, true),
        data: bytes.subarray(at + HEAD, at + HEAD + size),
      });
      at += HEAD + size;
    }
    return at;
  }
}

/** Large payloads, passed on in slices as they come. */
class HandLender {
  private readonly head = new Uint8Array(HEAD);
  private readonly headView = new DataView(this.head.buffer);
  private held = 0;
  private left = 0;
  private readonly onHead: (flags: number, tag: number, size: number) => void;
  private readonly onData: (slice: Uint8Array) => void;

  constructor(
    onHead: (flags: number, tag: number, size: number) => void,
    onData: (slice: Uint8Array) => void,
  ) {
    this.onHead = onHead;
    this.onData = onData;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.left > 0) {
        const size = Math.min(this.left, chunk.length - at);
        this.onData(chunk.subarray(at, at + size));
        this.left -= size;
        at += size;
        continue;
      }
      const size = Math.min(HEAD - this.held, chunk.length - at);
      this.head.set(chunk.subarray(at, at + size), this.held);
      this.held += size;
      at += size;
      if (this.held < HEAD) return;
      this.held = 0;
      this.left = this.headView.getUint32(4, true) * 0x1_0000_0000 + this.headView.getUint32(0, true);
      this.onHead(this.headView.getUint32(8, true), this.headView.getUint32(12, true), this.left);
    }
  }
}

let seen = 0;

function records(chunks: readonly Uint8Array[]): Case {
  return {
    batch: 1,
    subjects: {
      virtwire: () => {
        const parser = new RecordStreamParser({
          records: ({ tag, data }) => {
            seen += tag + data.length;
          },
        });
        for (const chunk of chunks) parser.push(chunk);
        parser.finish();
        return seen;
      },
      hand: () => {
        const parser = new HandParser(({ tag, data }) => {
          seen += tag + data.length;
        });
        for (const chunk of chunks) parser.push(chunk);
        return seen;
      },
    },
    // 80 % of the throughput of the hand-written parser.
    targets: { hand: 1 / 0.8 },
  };
}

function lent(chunks: readonly Uint8Array[]): Case {
  return {
    batch: 1,
    subjects: {
      virtwire: () => {
        const parser = new RecordStreamParser(
          {
            recordsBegin: ({ tag }, _index, _at, length) => {
              seen += tag + length;
            },
            recordsData: (slice) => {
              seen += slice.length;
            },
          },
          { lendAbove: 1024 },
        );
        for (const chunk of chunks) parser.push(chunk);
        parser.finish();
        return seen;
      },
      hand: () => {
        const parser = new HandLender(
          (_flags, tag, size) => {
            seen += tag + size;
          },
          (slice) => {
            seen += slice.length;
          },
        );
        for (const chunk of chunks) parser.push(chunk);
        return seen;
      },
    },
    targets: { hand: 1 / 0.8 },
  };
}

const small = streamOf(8192, (i) => (i * 7) % 200);
const pages = streamOf(1024, () => 4096);

export const cases: Record<string, Case> = {
  "push/records-1460": records(cut(small, 1460)),
  "push/records-65536": records(cut(small, 65536)),
  "push/pages-1460": lent(cut(pages, 1460)),
  "push/pages-65536": lent(cut(pages, 65536)),
};
