/** Twelve 32-bit integers: a message that is nothing but fields, decoded, encoded and through a view. */
import { Parser } from "binary-parser";
import * as bin from "typed-binary";
import { Reader, Writer } from "../../src/runtime/index.js";
import {
  decodeTwelveWords,
  encodeTwelveWords,
  type TwelveWords,
  TwelveWordsView,
  writeTwelveWords,
} from "../generated/messages.js";
import { type Case, rotation } from "../measure.js";

/** Different values in turn: an engine that sees one value only turns its fields into constants. */
const values = rotation(16, (i): TwelveWords => {
  const word = (k: number) => Math.imul(i * 12 + k, 0x9e37_79b1) >>> 0;
  return {
    a: word(0),
    b: word(1),
    c: word(2),
    d: word(3),
    e: word(4),
    f: word(5),
    g: word(6),
    h: word(7),
    i: word(8),
    j: word(9),
    k: word(10),
    l: word(11),
  };
});
const SIZE = 48;
/** Messages in a row, as in a capture: every subject goes through them over one shared DataView. */
const MESSAGES = 64;
const bytes = new Uint8Array(SIZE * MESSAGES);
for (let at = 0; at < bytes.length; at += SIZE) bytes.set(encodeTwelveWords(values()), at);
const dataView = new DataView(bytes.buffer);

function decodeByHand(from: DataView, at: number): TwelveWords {
  if (from.byteLength - at < SIZE) throw new RangeError("truncated");
  return {
    a: from.getUint32(at, true),
    b: from.getUint32(at + 4, true),
    c: from.getUint32(at + 8, true),
    d: from.getUint32(at + 12, true),
    e: from.getUint32(at + 16, true),
    f: from.getUint32(at + 20, true),
    g: from.getUint32(at + 24, true),
    h: from.getUint32(at + 28, true),
    i: from.getUint32(at + 32, true),
    j: from.getUint32(at + 36, true),
    k: from.getUint32(at + 40, true),
    l: from.getUint32(at + 44, true),
  };
}

/** Refuses what does not fit, as ours does: without that, a wrong value is cut to 32 bits and sent. */
function encodeByHand(from: TwelveWords, to: DataView, at: number): void {
  const { a, b, c, d, e, f, g, h, i, j, k, l } = from;
  if (a >>> 0 !== a || b >>> 0 !== b || c >>> 0 !== c || d >>> 0 !== d || e >>> 0 !== e || f >>> 0 !== f) {
    throw new RangeError("does not fit");
  }
  if (g >>> 0 !== g || h >>> 0 !== h || i >>> 0 !== i || j >>> 0 !== j || k >>> 0 !== k || l >>> 0 !== l) {
    throw new RangeError("does not fit");
  }
  encodeUnchecked(from, to, at);
}

function encodeUnchecked(from: TwelveWords, to: DataView, at: number): void {
  to.setUint32(at, from.a, true);
  to.setUint32(at + 4, from.b, true);
  to.setUint32(at + 8, from.c, true);
  to.setUint32(at + 12, from.d, true);
  to.setUint32(at + 16, from.e, true);
  to.setUint32(at + 20, from.f, true);
  to.setUint32(at + 24, from.g, true);
  to.setUint32(at + 28, from.h, true);
  to.setUint32(at + 32, from.i, true);
  to.setUint32(at + 36, from.j, true);
  to.setUint32(at + 40, from.k, true);
  to.setUint32(at + 44, from.l, true);
}

function sumByHand(from: DataView, at: number): number {
  if (from.byteLength - at < SIZE) throw new RangeError("truncated");
  return (
    from.getUint32(at, true) +
    from.getUint32(at + 4, true) +
    from.getUint32(at + 8, true) +
    from.getUint32(at + 12, true) +
    from.getUint32(at + 16, true) +
    from.getUint32(at + 20, true) +
    from.getUint32(at + 24, true) +
    from.getUint32(at + 28, true) +
    from.getUint32(at + 32, true) +
    from.getUint32(at + 36, true) +
    from.getUint32(at + 40, true) +
    from.getUint32(at + 44, true)
  );
}

/** One view that is moved from message to message: that and reading fields through it allocates nothing. */
const ours = new TwelveWordsView(bytes);
function sumThroughView(from: TwelveWordsView): number {
  return (
    from.a + from.b + from.c + from.d + from.e + from.f + from.g + from.h + from.i + from.j + from.k + from.l
  );
}

function swapThroughView(to: TwelveWordsView): void {
  const { a, b } = to;
  to.a = to.l;
  to.b = to.k;
  to.l = a;
  to.k = b;
}

function put(to: DataView, at: number, value: number): void {
  if (value >>> 0 !== value) throw new RangeError("does not fit");
  to.setUint32(at, value, true);
}

function swapByHand(to: DataView, at: number): void {
  if (to.byteLength - at < SIZE) throw new RangeError("truncated");
  const a = to.getUint32(at, true);
  const b = to.getUint32(at + 4, true);
  put(to, at, to.getUint32(at + 44, true));
  put(to, at + 4, to.getUint32(at + 40, true));
  put(to, at + 44, a);
  put(to, at + 40, b);
}

const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] as const;
const binaryParser = names.reduce((parser, name) => parser.uint32(name), Parser.start().endianness("little"));
const typedBinary = bin.object({
  a: bin.u32,
  b: bin.u32,
  c: bin.u32,
  d: bin.u32,
  e: bin.u32,
  f: bin.u32,
  g: bin.u32,
  h: bin.u32,
  i: bin.u32,
  j: bin.u32,
  k: bin.u32,
  l: bin.u32,
});

const reader = new Reader(bytes);

/** Calls `decode` for every message. */
function each(decode: (from: Reader) => unknown): unknown {
  reader.rewind(0, bytes.byteLength, 0);
  let last: unknown;
  while (reader.at < reader.end) last = decode(reader);
  return last;
}

function eachByHand(): unknown {
  let last: unknown;
  const end = bytes.length;
  for (let at = 0; at < end; at += SIZE) last = decodeByHand(dataView, at);
  return last;
}

function eachWith(parse: (message: Uint8Array) => unknown): unknown {
  let last: unknown;
  for (const message of slices) last = parse(message);
  return last;
}
const slices = Array.from({ length: MESSAGES }, (_, i) => bytes.subarray(i * SIZE, (i + 1) * SIZE));

const target = new Uint8Array(SIZE * MESSAGES);
const targetView = new DataView(target.buffer);
const writer = new Writer(target);

export const cases: Record<string, Case> = {
  "decode/words": {
    batch: 8,
    operations: MESSAGES,
    subjects: {
      virtwire: () => each(decodeTwelveWords),
      hand: eachByHand,
      "binary-parser": () => eachWith((message) => binaryParser.parse(message)),
      "typed-binary": () =>
        eachWith((message) =>
          typedBinary.read(
            new bin.BufferReader(message.buffer, { byteOffset: message.byteOffset, endianness: "little" }),
          ),
        ),
    },
    targets: { hand: 1.15, "binary-parser": 1 / 1.5, "typed-binary": 1 / 15 },
  },
  "encode/words": {
    batch: 8,
    operations: MESSAGES,
    subjects: {
      virtwire: () => {
        writer.reset();
        for (let i = 0; i < MESSAGES; i++) writeTwelveWords(writer, values());
        return writer.at;
      },
      hand: () => {
        for (let at = 0; at < target.length; at += SIZE) encodeByHand(values(), targetView, at);
        return target;
      },
      "hand, unchecked": () => {
        for (let at = 0; at < target.length; at += SIZE) encodeUnchecked(values(), targetView, at);
        return target;
      },
      "typed-binary": () => {
        const output = new bin.BufferWriter(target.buffer, { endianness: "little" });
        for (let i = 0; i < MESSAGES; i++) typedBinary.write(output, values());
        return target;
      },
    },
    targets: { hand: 1.15, "typed-binary": 1 / 15 },
  },
  "view/get-words": {
    batch: 8,
    operations: MESSAGES,
    subjects: {
      virtwire: () => {
        let sum = 0;
        for (let at = 0; at < bytes.length; at += SIZE) sum += sumThroughView(ours.moveTo(at));
        return sum;
      },
      hand: () => {
        let sum = 0;
        for (let at = 0; at < bytes.length; at += SIZE) sum += sumByHand(dataView, at);
        return sum;
      },
    },
    targets: { hand: 1.1 },
  },
  "view/set-words": {
    batch: 8,
    operations: MESSAGES,
    subjects: {
      virtwire: () => {
        for (let at = 0; at < bytes.length; at += SIZE) swapThroughView(ours.moveTo(at));
        return ours;
      },
      hand: () => {
        for (let at = 0; at < bytes.length; at += SIZE) swapByHand(dataView, at);
        return dataView;
      },
    },
    targets: { hand: 1.1 },
  },
};
