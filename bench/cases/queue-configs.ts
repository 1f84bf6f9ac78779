/** `u32` count and 1,000 × three 16-bit integers: arrays of small structs. */
import { Parser } from "binary-parser";
import * as bin from "typed-binary";
import { Writer } from "../../src/runtime/index.js";
import {
  decodeQueueConfigs,
  encodeQueueConfigs,
  type QueueConfigs,
  writeQueueConfigs,
} from "../generated/messages.js";
import type { Case } from "../measure.js";

const COUNT = 1000;
const value: QueueConfigs = {
  queues: Array.from({ length: COUNT }, (_, i) => ({ vqIndex: i, queueSize: 256, queueMsixVector: i + 1 })),
};
const bytes = encodeQueueConfigs(value);
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function decodeByHand(from: DataView) {
  if (from.byteLength < 4) throw new RangeError("truncated");
  const count = from.getUint32(0, true);
  if (count * 6 > from.byteLength - 4) throw new RangeError("truncated");
  const queues = new Array<{ vqIndex: number; queueSize: number; queueMsixVector: number }>(count);
  for (let i = 0, at = 4; i < count; i++, at += 6) {
    queues[i] = {
      vqIndex: from.getUint16(at, true),
      queueSize: from.getUint16(at + 2, true),
      queueMsixVector: from.getUint16(at + 4, true),
    };
  }
  return { queues };
}

/** Refuses what does not fit, as ours does. */
function encodeByHand(from: QueueConfigs, to: DataView): number {
  for (const { vqIndex, queueSize, queueMsixVector } of from.queues) {
    if (
      (vqIndex & 0xffff) !== vqIndex ||
      (queueSize & 0xffff) !== queueSize ||
      (queueMsixVector & 0xffff) !== queueMsixVector
    ) {
      throw new RangeError("does not fit");
    }
  }
  return encodeUnchecked(from, to);
}

function encodeUnchecked(from: QueueConfigs, to: DataView): number {
  const { queues } = from;
  to.setUint32(0, queues.length, true);
  let at = 4;
  for (const queue of queues) {
    to.setUint16(at, queue.vqIndex, true);
    to.setUint16(at + 2, queue.queueSize, true);
    to.setUint16(at + 4, queue.queueMsixVector, true);
    at += 6;
  }
  return at;
}

const binaryParser = Parser.start()
  .endianness("little")
  .uint32("count")
  .array("queues", {
    length: "count",
    type: Parser.start().endianness("little").uint16("vqIndex").uint16("queueSize").uint16("queueMsixVector"),
  });

// typed-binary frames arrays by itself, with a 32-bit count in front: the same bytes as ours, by luck. It has 16-bit integers.
const typedBinary = bin.object({
  queues: bin.dynamicArrayOf(bin.object({ vqIndex: bin.u16, queueSize: bin.u16, queueMsixVector: bin.u16 })),
});

const target = new Uint8Array(bytes.byteLength);
const targetView = new DataView(target.buffer);
const writer = new Writer(target);

export const cases: Record<string, Case> = {
  "decode/queue-configs": {
    batch: 1,
    subjects: {
      virtwire: () => decodeQueueConfigs(bytes),
      hand: () => decodeByHand(view),
      "binary-parser": () => binaryParser.parse(bytes),
      "typed-binary": () => typedBinary.read(new bin.BufferReader(bytes.buffer, { endianness: "little" })),
    },
    targets: { hand: 1.15, "binary-parser": 1 / 1.5, "typed-binary": 1 / 15 },
  },
  "encode/queue-configs": {
    batch: 1,
    subjects: {
      virtwire: () => writeQueueConfigs(writer.reset(), value),
      hand: () => encodeByHand(value, targetView),
      "hand, unchecked": () => encodeUnchecked(value, targetView),
      "typed-binary": () =>
        typedBinary.write(new bin.BufferWriter(target.buffer, { endianness: "little" }), value),
    },
    targets: { hand: 1.15, "typed-binary": 1 / 15 },
  },
};
