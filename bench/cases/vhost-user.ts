/**
 * vhost-user requests with the codecs that the package ships: header and payload, as they come from the socket.
 * SET_MEM_TABLE with 8 regions (276 bytes), SET_VRING_ADDR (52) and SET_CONFIG (84); GET_CONFIG is the same layout.
 *
 * The hand-written code makes the same values, knows these three requests and no other, and has the byte order as a
 * parameter, as the protocol does.
 */
import { Parser } from "binary-parser";
import { VhostVringAddrView } from "../../generated/vhost/uapi.js";
import {
  decodeVhostUserFrontendRequestMessage,
  encodeVhostUserFrontendRequestMessage,
  VhostUserConfigView,
  VhostUserFrontendRequest,
  type VhostUserFrontendRequestMessage,
  type VhostUserMemoryRegion,
  VhostUserMemoryRegionView,
  writeVhostUserFrontendRequestMessage,
} from "../../generated/vhost-user/messages.js";
import { Reader, Writer } from "../../src/runtime/index.js";
import { type Case, rotation } from "../measure.js";

type Message = VhostUserFrontendRequestMessage;
type Body = Message["payload"]["body"];

const { VHOST_USER_SET_MEM_TABLE, VHOST_USER_SET_VRING_ADDR, VHOST_USER_SET_CONFIG } =
  VhostUserFrontendRequest;
/** No feature that changes a layout. */
const NO_FEATURES = 0n;
const LITTLE = true;

function message(request: number, body: Body): Message {
  return { request, version: 1, reply: 0, needReply: 1, reserved: 0, payload: { body } };
}

/** Different values in turn: an engine that sees one value only turns its fields into constants. */
const memTables = rotation(16, (seed) => {
  const regions = Array.from({ length: 8 }, (_, i): VhostUserMemoryRegion => {
    const at = BigInt(seed * 8 + i);
    return {
      guestPhysAddr: at << 32n,
      memorySize: 0x4000_0000n,
      userspaceAddr: 0x7f00_0000_0000n + (at << 30n),
      mmapOffset: at << 12n,
      xenMmapFlags: undefined,
      domid: undefined,
    };
  });
  return message(VHOST_USER_SET_MEM_TABLE, {
    case: "vhostUserSetMemTable",
    value: { padding: 0, regions },
  });
});
const vringAddrs = rotation(16, (seed) => {
  const at = 0x7f00_0000_0000n + (BigInt(seed) << 16n);
  return message(VHOST_USER_SET_VRING_ADDR, {
    case: "vhostUserSetVringAddr",
    value: {
      index: seed,
      flags: seed & 1,
      descUserAddr: at,
      usedUserAddr: at + 0x2000n,
      availUserAddr: at + 0x1000n,
      logGuestAddr: BigInt(seed) << 20n,
    },
  });
});
const configs = rotation(16, (seed) =>
  message(VHOST_USER_SET_CONFIG, {
    case: "vhostUserSetConfig",
    value: { offset: seed, flags: seed & 1, region: new Uint8Array(60).fill(seed) },
  }),
);

/** Messages in a row, as in a capture: every subject goes through them over one shared DataView. */
const MESSAGES = 64;
function inARow(next: () => Message): Uint8Array {
  const size = encodeVhostUserFrontendRequestMessage(next(), NO_FEATURES, NO_FEATURES, LITTLE).byteLength;
  const bytes = new Uint8Array(size * MESSAGES);
  for (let at = 0; at < bytes.length; at += size) {
    bytes.set(encodeVhostUserFrontendRequestMessage(next(), NO_FEATURES, NO_FEATURES, LITTLE), at);
  }
  return bytes;
}

const HEADER = 12;

/** The checks that a careful person writes: every bound, the version, and that the payload fits its size. */
function decodeByHand(from: DataView, bytes: Uint8Array, at: number, little: boolean): Message {
  const end = from.byteLength;
  if (end - at < HEADER) throw new RangeError("truncated");
  const request = from.getUint32(at, little);
  const flags = from.getUint32(at + 4, little);
  const size = from.getUint32(at + 8, little);
  if ((flags & 3) !== 1) throw new RangeError("version");
  if (size > 4096 || size > end - at - HEADER) throw new RangeError("size");
  return {
    request,
    version: 1,
    reply: (flags >>> 2) & 1,
    needReply: (flags >>> 3) & 1,
    reserved: flags >>> 4,
    payload: { body: bodyByHand(request, from, bytes, at + HEADER, size, little) },
  };
}

function bodyByHand(
  request: number,
  from: DataView,
  bytes: Uint8Array,
  at: number,
  size: number,
  little: boolean,
): Body {
  switch (request) {
    case VHOST_USER_SET_MEM_TABLE: {
      if (size < 8) throw new RangeError("size");
      const count = from.getUint32(at, little);
      if (count > 32 || size !== 8 + count * 32) throw new RangeError("count");
      const regions = new Array<VhostUserMemoryRegion>(count);
      for (let i = 0, next = at + 8; i < count; i++, next += 32) {
        regions[i] = {
          guestPhysAddr: from.getBigUint64(next, little),
          memorySize: from.getBigUint64(next + 8, little),
          userspaceAddr: from.getBigUint64(next + 16, little),
          mmapOffset: from.getBigUint64(next + 24, little),
          xenMmapFlags: undefined,
          domid: undefined,
        };
      }
      return { case: "vhostUserSetMemTable", value: { padding: from.getUint32(at + 4, little), regions } };
    }
    case VHOST_USER_SET_VRING_ADDR:
      if (size !== 40) throw new RangeError("size");
      return {
        case: "vhostUserSetVringAddr",
        value: {
          index: from.getUint32(at, little),
          flags: from.getUint32(at + 4, little),
          descUserAddr: from.getBigUint64(at + 8, little),
          usedUserAddr: from.getBigUint64(at + 16, little),
          availUserAddr: from.getBigUint64(at + 24, little),
          logGuestAddr: from.getBigUint64(at + 32, little),
        },
      };
    case VHOST_USER_SET_CONFIG: {
      if (size < 12) throw new RangeError("size");
      const length = from.getUint32(at + 4, little);
      if (length > 256 || size !== 12 + length) throw new RangeError("size");
      const region = bytes.subarray(at + 12, at + 12 + length);
      return {
        case: "vhostUserSetConfig",
        value: { offset: from.getUint32(at, little), flags: from.getUint32(at + 8, little), region },
      };
    }
    default:
      throw new RangeError("request");
  }
}

const U64_MAX = 0xffff_ffff_ffff_ffffn;

function setU32(to: DataView, at: number, value: number, little: boolean): void {
  if (value >>> 0 !== value) throw new RangeError("does not fit");
  to.setUint32(at, value, little);
}

function setU64(to: DataView, at: number, value: bigint, little: boolean): void {
  if (value < 0n || value > U64_MAX) throw new RangeError("does not fit");
  to.setBigUint64(at, value, little);
}

/** Refuses what does not fit, as ours does. */
function encodeByHand(from: Message, to: DataView, bytes: Uint8Array, little: boolean): number {
  const { request, version, reply, needReply, reserved, payload } = from;
  if (version !== 1 || (reply & 1) !== reply || (needReply & 1) !== needReply || reserved !== 0) {
    throw new RangeError("does not fit");
  }
  setU32(to, 0, request, little);
  to.setUint32(4, version | (reply << 2) | (needReply << 3), little);
  const size = encodeBodyByHand(payload.body, to, bytes, HEADER, little);
  to.setUint32(8, size, little);
  return HEADER + size;
}

function encodeBodyByHand(
  body: Body,
  to: DataView,
  bytes: Uint8Array,
  start: number,
  little: boolean,
): number {
  switch (body.case) {
    case "vhostUserSetMemTable": {
      const { regions = [] } = body.value;
      if (regions.length > 32) throw new RangeError("count");
      to.setUint32(start, regions.length, little);
      to.setUint32(start + 4, 0, little);
      let at = start + 8;
      for (const region of regions) {
        setU64(to, at, region.guestPhysAddr, little);
        setU64(to, at + 8, region.memorySize, little);
        setU64(to, at + 16, region.userspaceAddr, little);
        setU64(to, at + 24, region.mmapOffset, little);
        at += 32;
      }
      return at - start;
    }
    case "vhostUserSetVringAddr": {
      const { value } = body;
      setU32(to, start, value.index, little);
      setU32(to, start + 4, value.flags, little);
      setU64(to, start + 8, value.descUserAddr, little);
      setU64(to, start + 16, value.usedUserAddr, little);
      setU64(to, start + 24, value.availUserAddr, little);
      setU64(to, start + 32, value.logGuestAddr, little);
      return 40;
    }
    case "vhostUserSetConfig": {
      const { offset, flags, region } = body.value;
      if (region.length > 256) throw new RangeError("size");
      setU32(to, start, offset, little);
      to.setUint32(start + 4, region.length, little);
      setU32(to, start + 8, flags, little);
      bytes.set(region, start + 12);
      return 12 + region.length;
    }
    default:
      throw new RangeError("request");
  }
}

const header = () => Parser.start().endianness("little").uint32("request").uint32("flags").uint32("size");
const memTableParser = header()
  .uint32("count")
  .uint32("padding")
  .array("regions", {
    length: "count",
    type: Parser.start()
      .endianness("little")
      .uint64("guestPhysAddr")
      .uint64("memorySize")
      .uint64("userspaceAddr")
      .uint64("mmapOffset"),
  });
const vringAddrParser = header()
  .uint32("index")
  .uint32("vringFlags")
  .uint64("descUserAddr")
  .uint64("usedUserAddr")
  .uint64("availUserAddr")
  .uint64("logGuestAddr");
const configParser = header()
  .uint32("offset")
  .uint32("length")
  .uint32("configFlags")
  .buffer("region", { length: "length" });

function decoding(next: () => Message, parser: Parser): Case {
  const bytes = inARow(next);
  const view = new DataView(bytes.buffer);
  const size = bytes.length / MESSAGES;
  const slices = Array.from({ length: MESSAGES }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
  const reader = new Reader(bytes);
  return {
    batch: 8,
    operations: MESSAGES,
    subjects: {
      virtwire: () => {
        reader.rewind(0, bytes.length, 0);
        let last: unknown;
        while (reader.at < reader.end) {
          last = decodeVhostUserFrontendRequestMessage(reader, NO_FEATURES, NO_FEATURES, LITTLE);
        }
        return last;
      },
      hand: () => {
        let last: unknown;

        for (let at = 0; at < bytes.length; at += size) last = decodeByHand(view, bytes, at, LITTLE);
        return last;
      },
      "binary-parser": () => {
        let last: unknown;
        for (const slice of slices) last = parser.parse(slice);
        return last;
      },
    },
    targets: { hand: 1.15, "binary-parser": 1 / 1.5 },
  };
}

function encoding(next: () => Message): Case {
  const target = new Uint8Array(HEADER + 4096);
  const targetView = new DataView(target.buffer);
  const writer = new Writer(target);
  return {
    batch: 100,
    subjects: {
      virtwire: () => {
        writeVhostUserFrontendRequestMessage(writer.reset(), next(), NO_FEATURES, NO_FEATURES, LITTLE);
        return writer.at;
      },
      hand: () => encodeByHand(next(), targetView, target, LITTLE),
    },
    targets: { hand: 1.15 },
  };
}

/** What a view needs to be compared: one that is moved from value to value, which allocates nothing but the bigints. */
interface Movable<T> {
  moveTo(at: number): T;
}

function viewing<T>(
  bytes: Uint8Array,
  first: number,
  size: number,
  movable: Movable<T>,
  ours: (view: T) => unknown,
  hand: (view: DataView, at: number, little: boolean) => unknown,
): Case {
  const step = bytes.length / MESSAGES;
  const view = new DataView(bytes.buffer);
  return {
    batch: 8,
    operations: MESSAGES,
    subjects: {
      virtwire: () => {
        let last: unknown;
        for (let at = first; at < bytes.length; at += step) last = ours(movable.moveTo(at));
        return last;
      },
      hand: () => {
        let last: unknown;
        for (let at = first; at < bytes.length; at += step) {
          if (view.byteLength - at < size) throw new RangeError("truncated");
          last = hand(view, at, LITTLE);
        }
        return last;
      },
    },
    targets: { hand: 1.1 },
  };
}

const vringAddrBytes = inARow(vringAddrs);
const memTableBytes = inARow(memTables);
const configBytes = inARow(configs);

export const cases: Record<string, Case> = {
  "decode/vhost-user-mem-table": decoding(memTables, memTableParser),
  "decode/vhost-user-vring-addr": decoding(vringAddrs, vringAddrParser),
  "decode/vhost-user-config": decoding(configs, configParser),
  "encode/vhost-user-mem-table": encoding(memTables),
  "encode/vhost-user-vring-addr": encoding(vringAddrs),
  "encode/vhost-user-config": encoding(configs),
  "view/vhost-user-mem-table": viewing(
    memTableBytes,
    HEADER + 8,
    32,
    new VhostUserMemoryRegionView(memTableBytes, HEADER + 8, false, LITTLE),
    (region) => region.guestPhysAddr === region.memorySize || region.userspaceAddr === region.mmapOffset,
    (view, at, little) =>
      view.getBigUint64(at, little) === view.getBigUint64(at + 8, little) ||
      view.getBigUint64(at + 16, little) === view.getBigUint64(at + 24, little),
  ),
  "view/vhost-user-vring-addr": viewing(
    vringAddrBytes,
    HEADER,
    40,
    new VhostVringAddrView(vringAddrBytes, HEADER, LITTLE),
    (addr) => addr.index + addr.flags + (addr.descUserAddr === addr.usedUserAddr ? 1 : 0),
    (view, at, little) =>
      view.getUint32(at, little) +
      view.getUint32(at + 4, little) +
      (view.getBigUint64(at + 8, little) === view.getBigUint64(at + 16, little) ? 1 : 0),
  ),
  "view/vhost-user-config": viewing(
    configBytes,
    HEADER,
    12,
    new VhostUserConfigView(configBytes, HEADER, LITTLE),
    (config) => config.offset + config.size + config.flags,
    (view, at, little) =>
      view.getUint32(at, little) + view.getUint32(at + 4, little) + view.getUint32(at + 8, little),
  ),
};
