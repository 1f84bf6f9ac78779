/**
 * Generated push parsers against the generated decoders of the whole: however the input is split, the handler hears the
 * same, and what is wrong is the same error. What decode gives is put together again from what the handler heard.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { WireError } from "../../../src/runtime/index.js";
import { type Loaded, loadSchema } from "../load.js";

const STREAMS = `module streams little;

closed enum mode : u8 { MODE_A = 0, MODE_B = 1, MODE_C = 2 }

struct pair { le16 x; be16 y; }
struct text_item { u8 size; char text[size]; }

struct tlv {
  le16 type;
  reserved u8[2];
  le32 length as number;
  within (length) switch (type) value {
    case 1: le32 speed;
    case 2: le16 list[..];
    case 3: text_item notes[..];
    case 9: le32 checked where checked != 7;
    default keep: u8 raw[..];
  }
}

stream context (u8 limit) {
  le32 count where count <= limit;
  tlv fields[count];
}

struct record {
  le64 size as number;
  be16 tag where tag != 0;
  u8 data[size];
}

stream records {
  record records[..];
}

struct header { be32 magic = 0x51454d55; u8 words; mode state; }

stream everything {
  header head;
  bits u8 { flag : 1; rest : 7; }
  if (flag != 0) {
    le16 extra;
    text_item note;
  } else {
    reserved u8[3];
  }
  le16 words[head.words];
  u8 blob_size;
  u8 blob[blob_size];
  mode modes[bytes blob_size];
  pair two[2];
  u8 inner_size;
  within (inner_size) {
    u8 kind;
    switch (kind) body {
      case 0: ;
      case 1: text_item text;
      case 2: pair pairs[..];
      default keep: u8 raw[..];
    }
  }
  u8 stop;
  text_item items[while remaining > stop];
  optional le16 last;
  optional u8 very_last[4];
}

stream raw_state {
  le16 version;
  u8 data[..];
}

stream boxed {
  u8 size;
  tlv list[bytes size];
  u8 after;
}

stream one_tlv {
  u8 before;
  tlv only;
  u8 after;
}
`;

type Call = readonly [method: string, ...args: unknown[]];

/** Hears everything. Adjacent pieces of a payload are one run, as the contract says. */
function recorder(lends: boolean): { calls: Call[]; handler: object } {
  const calls: Call[] = [];
  const handler = new Proxy(
    {},
    {
      get: (_, method: string) => {
        if (!lends && /(?:Begin|Data|End)$/.test(method)) return undefined;
        return (...args: unknown[]) => {
          const last = calls[calls.length - 1];
          const [piece] = args;
          if (method.endsWith("Data") && last?.[0] === method && piece instanceof Uint8Array) {
            calls[calls.length - 1] = [
              method,
              Uint8Array.from([...(last[1] as Uint8Array), ...piece]),
              last[2],
            ];
          } else {
            calls.push([method, ...args.map(kept)]);
          }
        };
      },
    },
  );
  return { calls, handler };
}

/** Values may hold slices that are good only for a while. */
function kept(value: unknown): unknown {
  return value instanceof Uint8Array ? Uint8Array.from(value) : structuredClone(value);
}

interface Heard {
  readonly calls: readonly Call[];
  readonly error: unknown;
}

describe("a push parser", () => {
  let streams: Loaded = {};
  beforeAll(async () => {
    streams = await loadSchema(STREAMS);
  });

  /** Pushes pieces that end at `cuts`. Each piece is memory of its own, wiped when the parser has been given the next. */
  function parse(
    name: string,
    bytes: Uint8Array,
    cuts: readonly number[],
    params: readonly number[] = [],
    options: object = {},
    lends = true,
  ): Heard {
    const { calls, handler } = recorder(lends);
    const parser = new streams[`${name}Parser`](...params, handler, options);
    const ends = [...new Set(cuts.filter((cut) => cut > 0 && cut < bytes.length))].sort((a, b) => a - b);
    let error: unknown;
    try {
      let from = 0;
      for (const end of [...ends, bytes.length]) {
        const piece = bytes.slice(from, end);
        parser.push(piece);
        piece.fill(0xee);
        from = end;
      }
      parser.finish();
      expect(parser.done).toBe(true);
      expect(parser.consumed).toBe(bytes.length + (Reflect.get(options, "base") ?? 0));
    } catch (caught) {
      error = caught;
      expect(() => parser.push(Uint8Array.of(1))).toThrow(caught as Error);
      expect(() => parser.finish()).toThrow(caught as Error);
    }
    return { calls, error };
  }

  const everyByte = (bytes: Uint8Array): number[] => [...bytes.keys()];

  /** The same calls and the same error for every way of cutting the input in two, for single bytes, and at random. */
  function expectInvariant(
    name: string,
    bytes: Uint8Array,
    randomCuts: readonly number[],
    params: readonly number[] = [],
    options: object = {},
    lends = true,
  ): Heard {
    const whole = parse(name, bytes, [], params, options, lends);
    const cuts = [...everyByte(bytes).map((cut) => [cut]), everyByte(bytes), randomCuts];
    for (const cut of cuts) expect(parse(name, bytes, cut, params, options, lends)).toEqual(whole);
    return whole;
  }

  const tlv: fc.Arbitrary<Uint8Array> = fc
    .oneof(
      fc.tuple(fc.constant(1), fc.uint8Array({ minLength: 4, maxLength: 4 })),
      fc.tuple(fc.constant(2), fc.uint8Array({ maxLength: 7 })),
      fc.tuple(
        fc.constant(3),
        fc
          .array(fc.uint8Array({ maxLength: 3 }))
          .map((list) => Uint8Array.from(list.flatMap((text) => [text.length, ...text]))),
      ),
      fc.tuple(fc.constant(9), fc.constantFrom(Uint8Array.of(1, 0, 0, 0), Uint8Array.of(7, 0, 0, 0))),
      fc.tuple(fc.constantFrom(4, 5), fc.uint8Array({ maxLength: 30 })),
    )
    .map(([type, payload]) => Uint8Array.from([type, 0, 0, 0, payload.length, 0, 0, 0, ...payload]));

  const context: fc.Arbitrary<Uint8Array> = fc
    .tuple(fc.array(tlv, { maxLength: 4 }), fc.constantFrom(0, 0, 0, 1))
    .map(([list, more]) =>
      Uint8Array.from([list.length + more, 0, 0, 0, ...list.flatMap((one) => [...one])]),
    );

  const cutting = fc.array(fc.nat(200), { maxLength: 6 });

  it("hears of a context what decode makes of it, however it is cut", () => {
    fc.assert(
      fc.property(context, cutting, (bytes, cuts) => {
        const { calls, error } = expectInvariant("Context", bytes, cuts, [50], {}, false);
        const expected = streams["checkContext"](bytes, 50);
        if (expected !== undefined) {
          // Where elements are missing, decode says so before it looks at those that are there.
          expect(error).toBeInstanceOf(WireError);
          if (expected.code !== "truncated") expect(error).toMatchObject({ ...expected });
          return;
        }
        expect(error).toBeUndefined();
        const [first, ...fields] = calls;
        expect(first).toEqual(["count", fields.length, 0]);
        expect({ fields: fields.map(([, value]) => value) }).toEqual(
          structuredClone(streams["decodeContext"](bytes, 50)),
        );
        let at = 4;
        fields.forEach(([method, , index, offset, size], i) => {
          expect([method, index, offset]).toEqual(["fields", i, at]);
          at += size as number;
        });
        expect(at).toBe(bytes.length);
      }),
      { numRuns: 60 },
    );
  });

  it("finds in a damaged context what decode of the whole finds", () => {
    fc.assert(
      fc.property(
        context,
        cutting,
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
        (bytes, cuts, cut, changes) => {
          const damaged = bytes.slice(0, cut % (bytes.length + 1));
          for (const [at, value] of changes) if (damaged.length > 0) damaged[at % damaged.length] = value;
          const { error } = expectInvariant("Context", damaged, cuts, [50], { base: 0 });
          const expected = streams["checkContext"](damaged, 50);
          // Where the end is missing, decode may say so before it looks at the elements; a parser has seen them by then.
          if (expected?.code === "truncated") expect(error).toBeInstanceOf(WireError);
          else if (expected === undefined) expect(error).toBeUndefined();
          else expect(error).toMatchObject({ ...expected });
        },
      ),
      { numRuns: 80 },
    );
  });

  it("says of every prefix of a sound context that it is truncated, as decode does", () => {
    fc.assert(
      fc.property(context, fc.nat(), (bytes, cut) => {
        if (streams["checkContext"](bytes, 50) !== undefined) return;
        const prefix = bytes.subarray(0, cut % Math.max(1, bytes.length));
        const { error } = parse("Context", prefix, everyByte(prefix), [50]);
        expect(error).toMatchObject({ ...streams["checkContext"](prefix, 50), code: "truncated" });
      }),
    );
  });

  const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
  const HEAD = [0x51, 0x45, 0x4d, 0x55];

  it("goes through every construct", () => {
    const samples: readonly (readonly number[])[] = [
      [
        ...HEAD,
        2,
        1,
        0x03,
        9,
        8,
        ...text("note"),
        1,
        0,
        2,
        0,
        3,
        0,
        1,
        2,
        0,
        1,
        2,
        ...[1, 0, 0, 2, 3, 0, 0, 4],
        5,
        1,
        ...text("abc"),
        0,
        ...text("x"),
        ...text(""),
      ],
      [
        ...HEAD,
        0,
        0,
        0x02,
        0,
        0,
        0,
        0,
        ...[1, 0, 0, 2, 3, 0, 0, 4],
        9,
        2,
        1,
        0,
        0,
        2,
        3,
        0,
        0,
        4,
        6,
        ...text("xy"),
        ...text("z"),
        1,
        0,
        1,
        2,
        3,
        4,
      ],
      [...HEAD, 0, 0, 0x02, 0, 0, 0, 0, ...[1, 0, 0, 2, 3, 0, 0, 4], 1, 0, 2, ...text("xy"), 7, 7],
      [...HEAD, 0, 0, 0x02, 0, 0, 0, 0, ...[1, 0, 0, 2, 3, 0, 0, 4], 4, 7, 1, 2, 3, 0],
    ];
    for (const sample of samples) {
      const bytes = Uint8Array.from(sample);
      expect(streams["checkEverything"](bytes)).toBeUndefined();
      const { calls, error } = expectInvariant("Everything", bytes, [3, 17], [], {}, false);
      expect(error).toBeUndefined();
      expect(rebuilt(calls)).toEqual(flattened(structuredClone(streams["decodeEverything"](bytes))));
      for (let size = 0; size < bytes.length; size++) {
        const prefix = bytes.subarray(0, size);
        const cut = expectInvariant("Everything", prefix, [5], [], {}, false);
        const expected = streams["checkEverything"](prefix);
        if (expected === undefined) expect(cut.error).toBeUndefined();
        else expect(cut.error).toMatchObject({ ...expected });
      }
    }
  });

  it("finds what is wrong in every construct", () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(255), fc.nat(60), (at, value, cut) => {
        const bytes = Uint8Array.from([
          ...[...HEAD, 2, 1, 0x03, 9, 8, ...text("note"), 1, 0, 2, 0, 3, 0, 1, 2, 0, 1, 2],
          ...[...[1, 0, 0, 2, 3, 0, 0, 4], 5, 1, ...text("abc"), 4, ...text("x"), 1, 2],
        ]);
        bytes[at % bytes.length] = value;
        const { error } = expectInvariant(
          "Everything",
          bytes,
          [cut],
          [],
          { strict: value % 2 === 0 },
          value % 3 === 0,
        );
        if (value % 2 === 0) return;
        const expected = streams["checkEverything"](bytes);
        if (expected === undefined) expect(error).toBeUndefined();
        else if (expected.code === "truncated") expect(error).toBeInstanceOf(WireError);
        else expect(error).toMatchObject({ ...expected });
      }),
      { numRuns: 200 },
    );
  });

  const record = (size: number, claimed = size): number[] => [
    ...[claimed & 0xff, claimed >> 8, claimed >> 16, 0, 0, 0, 0, 0, 0, 5],
    ...Array.from({ length: size }, (_, i) => i & 0xff),
  ];

  it("lends what is longer than `lendAbove`, and gives the rest whole", () => {
    const bytes = Uint8Array.from([...record(3), ...record(20), ...record(8), ...record(9)]);
    const { calls, error } = expectInvariant("Records", bytes, [13, 30], [], { lendAbove: 8 });
    expect(error).toBeUndefined();
    expect(
      calls.map(([method, first, ...rest]) =>
        method === "recordsData" ? [method, (first as Uint8Array).length, ...rest] : [method, ...rest],
      ),
    ).toEqual([
      ["records", 0, 0, 13],
      ["recordsBegin", 1, 13, 20],
      ["recordsData", 20, 23],
      ["recordsEnd", 43],
      ["records", 2, 43, 18],
      ["recordsBegin", 3, 61, 9],
      ["recordsData", 9, 71],
      ["recordsEnd", 80],
    ]);
    expect(calls[1]?.[1]).toEqual({ tag: 5 });
    expect(calls[2]?.[1]).toEqual(Uint8Array.from({ length: 20 }, (_, i) => i));
    // A handler without methods for it is given the same elements whole.
    const whole = expectInvariant("Records", bytes, [13, 30], [], { lendAbove: 8 }, false);
    expect(whole.calls.map(([method, , index]) => [method, index])).toEqual(
      [0, 1, 2, 3].map((index) => ["records", index]),
    );
  });

  it("lends only bytes: another case is gathered and checked", () => {
    const list = [2, 0, 0, 0, 8, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0];
    const raw = [5, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const bytes = Uint8Array.from([2, 0, 0, 0, ...list, ...raw]);
    const { calls } = expectInvariant("Context", bytes, [9], [50], { lendAbove: 4 });
    expect(calls.map(([method]) => method)).toEqual([
      "count",
      "fields",
      "fieldsBegin",
      "fieldsData",
      "fieldsEnd",
    ]);
    expect(calls[2]?.[1]).toEqual({ type: 5 });
  });

  it("checks the head of what it lends, and misses what does not come", () => {
    const wrong = Uint8Array.from(record(20));
    wrong[9] = 0;
    expect(expectInvariant("Records", wrong, [], [], { lendAbove: 8 }).error).toMatchObject({
      code: "constraint",
      path: "records[0].tag",
      offset: 8,
    });
    const short = Uint8Array.from(record(20, 30));
    const { calls, error } = expectInvariant("Records", short, [12], [], { lendAbove: 8, base: 100 });
    expect(calls.map(([method]) => method)).toEqual(["recordsBegin", "recordsData"]);
    expect(error).toMatchObject({
      code: "truncated",
      path: "records[0].data",
      offset: 110,
      need: 30,
      had: 20,
    });
    const huge = Uint8Array.from(record(0));
    huge.fill(0xff, 0, 8);
    expect(expectInvariant("Records", huge, []).error).toMatchObject({
      code: "range",
      path: "records[0].size",
      offset: 0,
    });
  });

  it("refuses a unit that is larger than the cap, before its bytes come", () => {
    const bytes = Uint8Array.from([...record(5), ...record(20)]);
    for (const input of [bytes, bytes.subarray(0, 26)]) {
      const { calls, error } = expectInvariant("Records", input, [7, 20], [], { maxUnit: 20 }, false);
      expect(calls).toHaveLength(1);
      expect(error).toMatchObject({ code: "limit", path: "records[1]", offset: 15 });
    }
    expect(expectInvariant("Records", bytes, [7, 20], [], { maxUnit: 30 }, false).error).toBeUndefined();
    expect(expectInvariant("RawState", bytes, [9], [], { maxUnit: 42 }, false).error).toMatchObject({
      code: "limit",
    });
    expect(expectInvariant("RawState", bytes, [9], [], { maxUnit: 43 }, false).error).toBeUndefined();
  });

  it("sees what a range cannot hold as an overrun, however large it claims to be", () => {
    const first = [5, 0, 0, 0, 2, 0, 0, 0, 1, 2];
    const second = [5, 0, 0, 0, 100, 0, 0, 0, 1, 2, 3];
    const bytes = Uint8Array.from([21, ...first, ...second, 9, 9, 9]);
    for (const lends of [true, false]) {
      const { calls, error } = expectInvariant(
        "Boxed",
        bytes,
        [3, 12],
        [],
        { maxUnit: 50, lendAbove: 4 },
        lends,
      );
      expect(calls.map(([method]) => method)).toEqual(["size", "list"]);
      expect(error).toMatchObject({
        ...streams["checkBoxed"](bytes),
        code: "overrun",
        path: "list[1].value",
      });
    }
    const sound = Uint8Array.from([10, ...first, 9]);
    expect(expectInvariant("Boxed", sound, [4]).error).toBeUndefined();
    const left = Uint8Array.from([11, ...first, 9]);
    expect(expectInvariant("Boxed", left, [4]).error).toMatchObject({ ...streams["checkBoxed"](left) });
  });

  it("lends a payload whose length nobody tells, to the end", () => {
    const bytes = Uint8Array.of(1, 0, 2, 3, 4, 5);
    const { calls } = expectInvariant("RawState", bytes, [3]);
    expect(calls).toEqual([
      ["version", 1, 0],
      ["dataBegin", 2, undefined],
      ["dataData", Uint8Array.of(2, 3, 4, 5), 2],
      ["dataEnd", 6],
    ]);
    expect(expectInvariant("RawState", bytes, [3], [], {}, false).calls[1]).toEqual([
      "data",
      Uint8Array.of(2, 3, 4, 5),
      2,
      4,
    ]);
  });

  it("gathers what lies in a chunk only in part, and leaves the rest of the chunk where it is", () => {
    const bytes = Uint8Array.of(9, 5, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3, 8);
    let raw: Uint8Array | undefined;
    const handler = {
      only: (value: { value: { value: Uint8Array } }) => {
        raw = value.value.value;
      },
    };
    const parser = new streams["OneTlvParser"](handler);
    parser.push(bytes);
    expect(raw?.buffer).toBe(bytes.buffer);
    expect([parser.done, parser.consumed]).toEqual([true, 13]);
    const gathering = new streams["OneTlvParser"](handler);
    gathering.push(bytes.subarray(0, 10));
    gathering.push(bytes.subarray(10));
    expect([...(raw ?? [])]).toEqual([1, 2, 3]);
    expect(raw?.buffer).not.toBe(bytes.buffer);
    // What it has gathered is not written to again: a value stays what it was.
    const first = raw;
    const another = new streams["OneTlvParser"](handler);
    another.push(bytes.subarray(0, 11));
    another.push(Uint8Array.of(7, 8));
    expect([...(first ?? [])]).toEqual([1, 2, 3]);
  });

  it("refuses bytes behind the end", () => {
    const bytes = Uint8Array.of(0, 0, 0, 0, 1);
    expect(expectInvariant("Context", bytes, [], [50]).error).toMatchObject({
      code: "trailing",
      path: "",
      offset: 4,
    });
    expect(expectInvariant("Context", bytes, [], [50]).error).toMatchObject({
      ...streams["checkContext"](bytes, 50),
    });
  });

  it("hands on what its handler throws, and does not let it call back", () => {
    const parser = new streams["RawStateParser"]({
      version: () => {
        throw new Error("mine");
      },
    });
    expect(() => parser.push(Uint8Array.of(1, 0))).toThrow("mine");
    expect(() => parser.push(Uint8Array.of(1))).toThrow("mine");
    const calling = new streams["RawStateParser"]({ version: () => calling.finish() });
    expect(() => calling.push(Uint8Array.of(1, 0))).toThrow("a handler must not call");
  });

  it("scans a long element once for each length that it learns, not once for each byte", () => {
    const bytes = Uint8Array.from(record(60_000));
    const start = performance.now();
    const { calls } = parse("Records", bytes, everyByte(bytes), [], {}, false);
    expect(calls).toHaveLength(1);
    // Quadratic behaviour takes minutes here.
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});

/** What was heard, as the properties of a value. */
function rebuilt(calls: readonly Call[]): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [name, first, second] of calls) {
    if (["words", "modes", "items", "pairs"].includes(name)) {
      const list = (value[name] ?? []) as unknown[];
      expect(second).toBe(list.length);
      value[name] = [...list, first];
    } else {
      value[name] = first;
    }
  }
  // Lengths are derived, and decode leaves reserved bytes out when they are zero.
  const { blobSize, innerSize, reserved, ...others } = value;
  expect([typeof blobSize, typeof innerSize]).toEqual(["number", "number"]);
  if (reserved !== undefined) expect(reserved).toEqual(new Uint8Array(3));
  return others;
}

/** A decoded value as the handler hears it: arms under their own names, nothing for what is empty or absent. */
function flattened(value: Record<string, unknown>): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(value)) {
    if (property === undefined || (Array.isArray(property) && property.length === 0)) continue;
    if (name === "body") {
      const { case: chosen, value: arm } = property as { case: string; value: unknown };
      if (arm !== undefined) flat[chosen] = arm;
    } else {
      flat[name] = property;
    }
  }
  return flat;
}
