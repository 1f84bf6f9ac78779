/** A schema in which every construct of the language occurs, and random bytes that are a value of it more often than not. */
import fc from "fast-check";

export const ZOO = `module zoo little;

enum kind : le16 { KIND_PLAIN = 1, KIND_LIST = 2, KIND_RANGE = 0x10 .. 0x1f }
closed enum mode : u8 { MODE_STOP = 0, MODE_RUN = 1, MODE_FREEZE = 2 }
flags feature : le64 { F_ONE = 1 << 32, F_TWO = 1 << 2 }
flags small : u8 { S_TAIL = 1, S_EXTRA = 2 }

struct scalars {
  u8 a; s8 b; le16 c; be16 d; sle16 e; sbe16 f; le32 g; be32 h; sle32 i; sbe32 j;
  le64 k; be64 l; sle64 m; sbe64 n;
  le64 wide as number;
  sbe64 deep as number;
  kind sort;
  feature features;
  reserved le16;
  char name[6];
  u8 mac[6];
  le16 grid[3][2];
}

struct bitty {
  u8 before;
  bits le16 { low : 3; reserved : 4; top : 9; }
  bits be32 msb { sign : 1; rest : 31; }
  bits le64 { first : 20; second : 12; third : 32; }
  bits be64 { one : 1; many : 63; }
  bits u8 { whole : 8; }
}

struct pair { le16 x; be16 y; }
struct magic { be32 word = 0x51454d55; mode state; }

struct text_item { u8 size; char text[size]; }

struct tlv {
  kind type;
  reserved u8[2];
  le32 length as number;
  within (length) switch (type) value {
    case KIND_PLAIN: le32 speed;
    case KIND_LIST: le16 list[..];
    case 3: pair point;
    case 4: text_item note;
    case 5: ;
    case 6: text_item notes[..];
    case KIND_RANGE: pair points[..];
    default keep: u8 raw[..];
  }
}

struct strict_tlv {
  u8 tag;
  u8 length;
  within (length) switch (tag) {
    case 1: le16 one;
    default skip if (tag & 0x80): u8 raw[..];
  }
}

struct conditional (small options) {
  u8 head;
  if (options & S_EXTRA) {
    le16 extra;
    pair both[2];
  } else {
    reserved u8[3];
  }
  le16 after where after != 7;
  if (options & S_TAIL) u8 tail[after & 3];
  where head <= 200;
}

struct optional_tail {
  le32 must;
  optional { le16 first; le16 second; }
  optional be32 third;
}

struct counted {
  u8 count;
  pair pairs[count];
  le16 bytes_long where bytes_long % 4 == 0;
  pair more[bytes bytes_long];
  u8 names;
  text_item items[names];
  u8 macs[2][6];
  mode modes[3];
}

struct holder {
  magic head;
  pair two[2];
  u8 options;
  conditional(options) inner;
  tlv first;
  u8 rows;
  u8 macs[rows][6];
  u8 stop;
  u8 skipped[while remaining > stop];
}
`;

export const NATIVE = `module zoo.native native;
struct inner_native { u16 a; u32 b; }
struct outer_native { inner_native one; inner_native in big two; u16 count; u16 list[count]; }
`;

/** Bytes for `counted`: counts that are small, so that the lists behind them are there. */
export const countedBytes: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { maxLength: 4 }),
    fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { maxLength: 4 }),
    fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 4 }),
    fc.uint8Array({ minLength: 12, maxLength: 12 }),
    fc.array(fc.nat(2), { minLength: 3, maxLength: 3 }),
  )
  .map(([pairs, more, items, macs, modes]) =>
    Uint8Array.from([
      pairs.length,
      ...pairs.flatMap((pair) => [...pair]),
      more.length * 4,
      0,
      ...more.flatMap((pair) => [...pair]),
      items.length,
      ...items.flatMap((item) => [item.length, ...item]),
      ...macs,
      ...modes,
    ]),
  );

const payloads: fc.Arbitrary<readonly [number, Uint8Array]> = fc.oneof(
  sized(1, 4),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => [2, bytes.subarray(0, bytes.length & ~1)] as const),
  sized(3, 4),
  fc.uint8Array({ maxLength: 6 }).map((text) => [4, Uint8Array.from([text.length, ...text])] as const),
  sized(5, 0),
  fc
    .array(fc.uint8Array({ maxLength: 3 }), { maxLength: 4 })
    .map((list) => [6, Uint8Array.from(list.flatMap((text) => [text.length, ...text]))] as const),
  fc
    .tuple(
      fc.integer({ min: 0x10, max: 0x1f }),
      fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { maxLength: 3 }),
    )
    .map(([type, list]) => [type, Uint8Array.from(list.flatMap((pair) => [...pair]))] as const),
  fc.tuple(fc.integer({ min: 0x20, max: 0xffff }), fc.uint8Array({ maxLength: 9 })),
);

function sized(type: number, size: number): fc.Arbitrary<readonly [number, Uint8Array]> {
  return fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => [type, bytes] as const);
}

export const tlvBytes: fc.Arbitrary<Uint8Array> = payloads.map(([type, payload]) =>
  Uint8Array.from([type & 0xff, type >> 8, 0, 0, payload.length, 0, 0, 0, ...payload]),
);

export const strictTlvBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ minLength: 2, maxLength: 2 }).map((two) => Uint8Array.from([1, 2, ...two])),
  fc
    .tuple(fc.integer({ min: 0x80, max: 0xff }), fc.uint8Array({ maxLength: 5 }))
    .map(([tag, raw]) => Uint8Array.from([tag, raw.length, ...raw])),
);

/** Bytes for `conditional` with these options. */
export function conditionalBytes(options: number): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(
      fc.nat(200),
      fc.uint8Array({ minLength: 10, maxLength: 10 }),
      fc.integer({ min: 0, max: 0xffff }).filter((after) => after !== 7),
      fc.uint8Array({ minLength: 3, maxLength: 3 }),
    )
    .map(([head, extra, after, tail]) =>
      Uint8Array.from([
        head,
        ...(options & 2 ? extra : [0, 0, 0]),
        after & 0xff,
        after >> 8,
        ...(options & 1 ? tail.subarray(0, after & 3) : []),
      ]),
    );
}

export const optionalTailBytes: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.constantFrom(4, 8, 12))
  .map(([bytes, size]) => bytes.subarray(0, size));

export const holderBytes: fc.Arbitrary<Uint8Array> = fc
  .nat(3)
  .chain((options) =>
    fc
      .tuple(
        fc.nat(2),
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        conditionalBytes(options),
        tlvBytes,
        fc.array(fc.uint8Array({ minLength: 6, maxLength: 6 }), { maxLength: 3 }),
        fc.uint8Array({ minLength: 1, maxLength: 12 }),
      )
      .map(([state, two, inner, first, macs, skipped]) =>
        Uint8Array.from([
          ...[0x51, 0x45, 0x4d, 0x55, state],
          ...two,
          options,
          ...inner,
          ...first,
          macs.length,
          ...macs.flatMap((mac) => [...mac]),
          0,
          ...skipped,
        ]),
      ),
  );

/** Bytes for `scalars`: the two 64-bit fields that are numbers stay within 53 bits. */
export const scalarBytes: fc.Arbitrary<Uint8Array> = fc
  .uint8Array({ minLength: 110, maxLength: 110 })
  .map((bytes) => {
    const copy = bytes.slice();
    copy.set([0, 0], 64);
    copy.set([0, 0], 66);
    return copy;
  });
