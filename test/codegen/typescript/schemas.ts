/** The schemas of the tests of generated code, each with a value and the bytes that the listing says it has. */
import { hex } from "../bytes.js";

export interface Sample {
  readonly schema: string;
  /** The struct, as generated code calls it. */
  readonly type: string;
  readonly args?: readonly unknown[];
  readonly value: unknown;
  readonly bytes: Uint8Array;
}

const TLV = `
  module t little;
  enum device_id : le16 { NET = 1 }
  struct vq { le16 vq_index; le16 queue_size; le64 queue_desc; }
  struct tlv (device_id device) {
    le16 type;
    reserved u8[6];
    le64 length as number;
    within (length) switch (type) value {
      case 0: le32 speed;
      case 2: vq vq_cfg;
      case 3: le64 feature_bits[..];
      case 4:;
      case 0x10 .. 0x1f: le16 vendor[..];
      default keep: u8 raw[..];
    }
  }
  struct context (device_id device) { le32 field_count; tlv(device) fields[field_count]; }
`;

export const samples: Readonly<Record<string, Sample>> = {
  "integers of every width and order": {
    schema: `module t big;
      struct ints {
        u8 a; s8 b; le16 c; be16 d; sle16 e; sbe16 f; le32 g; be32 h; sle32 i; sbe32 j;
        le64 k; be64 l; sle64 m; sbe64 n; le64 o as number; be64 p as number; sbe64 q as number; sle64 r as number;
      }`,
    type: "Ints",
    value: {
      a: 0xff,
      b: -2,
      c: 0x0102,
      d: 0x0102,
      e: -3,
      f: -4,
      g: 0xfffefdfc,
      h: 0x01020304,
      i: -5,
      j: -6,
      k: 0xfedc_ba98_7654_3210n,
      l: 0x0123_4567_89ab_cdefn,
      m: -7n,
      n: -8n,
      o: 0x1f_ffff_ffff_ffff,
      p: 0x0000_0001_0203_0405,
      q: -9,
      r: -0x1f_ffff_ffff_ffff,
    },
    bytes: hex(`
      ff fe 0201 0102 fdff fffc fcfdfeff 01020304 fbffffff fffffffa
      1032547698badcfe 0123456789abcdef f9ffffffffffffff fffffffffffffff8
      ffffffffffff1f00 0000000102030405 fffffffffffffff7 010000000000e0ff`),
  },
  "bit fields, from either end": {
    schema: `module t little;
      struct rss {
        bits le16 { vq_id : 15; reserved : 1; }
        bits be32 msb { kind : 4; addr : 28; }
        bits u8 { low : 1; mid : 6; top : 1; }
      }`,
    type: "Rss",
    value: { vqId: 0x1234, reserved: 1, kind: 0xa, addr: 0xbcdef01, low: 1, mid: 0x2a, top: 1 },
    bytes: hex("3492 abcdef01 d5"),
  },
  "bit fields of 64 bits, exact where they must be": {
    schema: `module t little;
      struct pagemap { bits le64 { pfn : 55; soft_dirty : 1; exclusive : 1; reserved : 6; present : 1; } }`,
    type: "Pagemap",
    value: { pfn: 0x12_3456_789a_bcden, softDirty: 1, exclusive: 0, reserved: 0, present: 1 },
    bytes: hex("debc9a7856341280").map((byte, i) => (i === 6 ? byte | 0x80 : byte)),
  },
  "bit fields of 64 bits, in halves and across them": {
    schema: `module t little;
      struct halves {
        bits le64 { a : 10; b : 22; c : 32; }
        bits be64 msb { d : 32; e : 31; f : 1; }
        bits le64 { g : 20; h : 30; i : 14; }
        bits le64 { j : 9; reserved : 55; }
      }`,
    type: "Halves",
    value: {
      a: 0x3ff,
      b: 0x2aaaaa,
      c: 0x89abcdef,
      d: 0xfedcba98,
      e: 0x3b2a1908,
      f: 1,
      g: 0xfffff,
      h: 0x3fffffff,
      i: 0x1234,
      j: 0x101,
      reserved: 1n,
    },
    bytes: hex("ffabaaaaefcdab89 fedcba9876543211 ffffffffffffd348 0103000000000000"),
  },
  "bytes, text and nested structs in one run": {
    schema: `module t big;
      struct guid { be32 a; u8 node[6]; }
      struct header { be32 magic = 0x5145564d; char name[8]; guid id; le16 table[3]; guid pair[2]; }`,
    type: "Header",
    value: {
      name: "ab",
      id: { a: 1, node: hex("0a0b0c0d0e0f") },
      table: [1, 2, 0xffff],
      pair: [
        { a: 2, node: hex("000000000001") },
        { a: 3, node: hex("000000000002") },
      ],
    },
    bytes: hex(`
      5145564d 6162000000000000 00000001 0a0b0c0d0e0f 0100 0200 ffff
      00000002 000000000001 00000003 000000000002`),
  },
  "counts that are derived, with arithmetic": {
    schema: `module t little;
      struct arrays {
        le16 entries; u8 macs[entries][6];
        le16 last; le16 ring[last + 1];
        u8 pairs; be32 words[pairs * 2];
        le32 size; le64 table[bytes size];
        u8 namelen; char name[namelen];
        u8 rows; le16 grid[rows][2];
      }`,
    type: "Arrays",
    value: {
      macs: [hex("010203040506"), hex("0708090a0b0c")],
      ring: [5, 6, 7],
      words: [1, 2],
      table: [3n],
      name: "eth0",
      grid: [
        [1, 2],
        [3, 4],
      ],
    },
    bytes: hex(`
      0200 010203040506 0708090a0b0c 0200 0500 0600 0700 01 00000001 00000002
      08000000 0300000000000000 04 65746830 02 0100 0200 0300 0400`),
  },
  "a tagged value with an unknown tag": {
    schema: TLV,
    type: "Context",
    args: [1],
    value: {
      fields: [
        { type: 0, reserved: undefined, value: { case: "speed", value: 1000 } },
        {
          type: 2,
          reserved: hex("000000000001"),
          value: { case: "vqCfg", value: { vqIndex: 1, queueSize: 256, queueDesc: 4096n } },
        },
        { type: 3, reserved: undefined, value: { case: "featureBits", value: [1n, 2n] } },
        { type: 4, reserved: undefined, value: { case: "4", value: undefined } },
        { type: 0x12, reserved: undefined, value: { case: "vendor", value: [9] } },
        { type: 0x99, reserved: undefined, value: { case: "raw", value: hex("c0ffee") } },
      ],
    },
    bytes: hex(`
      06000000
      0000 000000000000 0400000000000000 e8030000
      0200 000000000001 0c00000000000000 0100 0001 0010000000000000
      0300 000000000000 1000000000000000 0100000000000000 0200000000000000
      0400 000000000000 0000000000000000
      1200 000000000000 0200000000000000 0900
      9900 000000000000 0300000000000000 c0ffee`),
  },
  "conditions on a parameter": {
    schema: `module t little;
      flags features : le64 { MQ = 1 << 22, MTU = 1 << 3 }
      struct config (features features) {
        u8 mac[6];
        if (features & MQ) le16 max_pairs;
        if (features & MTU) { le16 mtu; le16 list[mtu & 1]; } else { reserved u8[2]; }
        le16 tail;
      }`,
    type: "Config",
    args: [1n << 22n],
    value: {
      mac: hex("010203040506"),
      maxPairs: 4,
      mtu: undefined,
      list: undefined,
      reserved: hex("0001"),
      tail: 7,
    },
    bytes: hex("010203040506 0400 0001 0700"),
  },
  "optional members, some of them": {
    schema: `module t little;
      struct tail { le64 queue_desc; optional { le16 notif_data; le16 queue_reset; } optional le16 admin_index; }`,
    type: "Tail",
    value: { queueDesc: 1n, notifData: 2, queueReset: 3, adminIndex: undefined },
    bytes: hex("0100000000000000 0200 0300"),
  },
  "a range with slack": {
    schema: `module t little;
      struct sized { le16 len; within at_most (len) { le16 a; u8 n; u8 list[n]; } u8 after; }`,
    type: "Sized",
    value: { a: 1, list: hex("aabb"), slack: hex("ccdd"), after: 9 },
    bytes: hex("0700 0100 02 aabb ccdd 09"),
  },
  "a byte order chosen at run time": {
    schema: `module t native;
      struct inner { u16 x; u64 y as number; bits u32 { p : 8; q : 24; } }
      struct outer (order guest) big { u32 a; inner mine; inner in guest theirs; inner in guest both[2]; le16 fixed; }`,
    type: "Outer",
    args: [true],
    value: {
      a: 1,
      mine: { x: 2, y: 3, p: 4, q: 5 },
      theirs: { x: 2, y: 3, p: 4, q: 5 },
      both: [
        { x: 6, y: 7, p: 8, q: 9 },
        { x: 10, y: 11, p: 12, q: 13 },
      ],
      fixed: 14,
    },
    bytes: hex(`
      00000001 0002 0000000000000003 00000504
      0200 0300000000000000 04050000
      0600 0700000000000000 08090000 0a00 0b00000000000000 0c0d0000 0e00`),
  },
  "elements while a condition holds": {
    schema: `module t little;
      struct record { u8 n; u8 data[n]; }
      struct records { record list[while remaining > 2]; u8 crc[..]; }`,
    type: "Records",
    value: { list: [{ data: hex("0102") }, { data: hex("") }], crc: hex("abcd") },
    bytes: hex("02 0102 00 abcd"),
  },
  "names that JavaScript keeps for itself": {
    schema: `module t little;
      struct object { u8 constructor; u8 class; u8 value; u8 reader; u8 a_b; u8 a__b; u8 __proto__; u8 to_string; u8 at; }`,
    type: "Object$",
    value: { constructor$: 1, class: 2, value: 3, reader: 4, aB: 5, aB$: 6, proto: 7, toString$: 8, at: 9 },
    bytes: hex("010203040506070809"),
  },
  "fields of nested structs in expressions": {
    schema: `module t little;
      struct hdr { le16 kind; bits le16 { more : 1; size : 15; } be32 magic = 7; }
      struct outer { hdr hdr; u8 n; u8 data[hdr.size]; }
      struct message {
        outer outer;
        if (outer.hdr.more) le16 extra;
        switch (outer.hdr.kind) body { case 1: u8 one; case 2: outer again; default refuse; }
      }`,
    type: "Message",
    value: {
      outer: { hdr: { kind: 2, more: 1, size: 2 }, n: 9, data: hex("abcd") },
      extra: 5,
      body: { case: "again", value: { hdr: { kind: 0, more: 0, size: 0 }, n: 8, data: hex("") } },
    },
    bytes: hex("0200 0500 00000007 09 abcd 0500 0000 0000 00000007 08"),
  },
  "an optional part that is all reserved": {
    schema: `module t little; struct padded { u8 a; optional reserved u8[3]; }`,
    type: "Padded",
    value: { a: 1, reserved: hex("000000") },
    bytes: hex("01 000000"),
  },
  "structs of one size, whatever is in them": {
    schema: `module t little;
      struct pick (u8 t) { switch (t) value { case 1: le32 number as number; case 2: le16 pair[2]; default keep: u8 raw[4]; } }
      struct picks { u8 t; pick(t) one; pick(t) two[2]; u8 n; pick(2) more[n]; u8 after; }`.replace(
      " as number",
      "",
    ),
    type: "Picks",
    value: {
      t: 1,
      one: { value: { case: "number", value: 1 } },
      two: [{ value: { case: "number", value: 2 } }, { value: { case: "number", value: 3 } }],
      more: [{ value: { case: "pair", value: [4, 5] } }],
      after: 6,
    },
    bytes: hex("01 01000000 02000000 03000000 01 04000500 06"),
  },
  "a length that is checked, of a range and of elements": {
    schema: `module t little;
      struct name { u8 n; char text[n]; }
      struct sized { le16 length where length >= 2; within (length - 2) { u8 tag; u8 rest[..]; } le32 size; name names[bytes size]; u8 end; }`,
    type: "Sized",
    value: { tag: 7, rest: hex("aabb"), names: [{ text: "ab" }, { text: "" }], end: 1 },
    bytes: hex("0500 07 aabb 04000000 02 6162 00 01"),
  },
  "reserved numbers and bytes of every kind": {
    schema: `module t little;
      struct kept (bool wide) {
        reserved le16; reserved u8[2]; u8 n; reserved u8[n];
        if (wide) { reserved le32; reserved u8[4]; u8 x; }
        reserved u8[..];
      }`,
    type: "Kept",
    args: [true],
    value: {
      reserved: 1,
      reserved1: undefined,
      reserved2: hex("0000"),
      reserved3: 0,
      reserved4: hex("00000400"),
      x: 5,
      reserved5: hex("00"),
    },
    bytes: hex("0100 0000 02 0000 00000000 00000400 05 00"),
  },
  "parameters of parameters": {
    schema: `module t native;
      enum device : u16 { NET = 1, BLK = 2 }
      flags features : u64 { MQ = 1 << 22 }
      struct net (features features, u32 queues) { u8 mac[6]; if (features & MQ && queues > 1) u16 pairs; }
      struct config (device device, features features) {
        switch (device) config { case NET: net(features, 2) net; case BLK: u64 capacity; default keep: u8 raw[..]; }
      }
      struct saved (device device, order guest) big { u32 len; within (len) config(device, 0x400000) in guest config; }`,
    type: "Saved",
    args: [1, true],
    value: { config: { config: { case: "net", value: { mac: hex("010203040506"), pairs: 3 } } } },
    bytes: hex("00000008 010203040506 0300"),
  },
};
