/** Text → syntax tree: whole trees of small modules, contextual keywords, doc comments, spans, recovery and limits. */
import { describe, expect, it } from "vitest";
import { positionAt } from "../../src/schema/diagnostics.js";
import { WireParser } from "../../src/schema/grammar/index.js";
import { createLexer } from "../../src/schema/lexer.js";
import { parse } from "../../src/schema/parse.js";
import type {
  DeclSyntax,
  ExprSyntax,
  FieldSyntax,
  MemberSyntax,
  ModuleSyntax,
} from "../../src/schema/syntax.js";

function read(text: string): ModuleSyntax {
  const { module, diagnostics } = parse("test.wire", text);
  expect(diagnostics).toEqual([]);
  if (!module) throw new Error("no module and no diagnostic");
  return module;
}

/** The codes and places of what is wrong, as `line:column code`. */
function problems(text: string): string[] {
  const { module, diagnostics } = parse("test.wire", text);
  expect(module === undefined || diagnostics.every(({ code }) => code === "stray-doc")).toBe(true);
  return diagnostics.map(({ code, message, span }) => {
    const { line, column } = positionAt(text, span.start);
    return `${line}:${column} ${code}: ${message}`;
  });
}

function decl(text: string): DeclSyntax {
  const [first, ...more] = read(`module m little;\n${text}`).decls;
  expect(more).toEqual([]);
  if (!first) throw new Error("no declaration");
  return first;
}

function members(text: string): readonly MemberSyntax[] {
  const struct = decl(`struct s {\n${text}\n}`);
  if (struct.kind !== "struct") throw new Error("not a struct");
  return struct.members;
}

function member(text: string): MemberSyntax {
  const [first, ...more] = members(text);
  expect(more).toEqual([]);
  if (!first) throw new Error("no member");
  return first;
}

function field(text: string): FieldSyntax {
  const found = member(text);
  if (found.kind !== "field") throw new Error(`a ${found.kind}, not a field`);
  return found;
}

function expr(text: string): ExprSyntax {
  const found = decl(`const X = ${text};`);
  if (found.kind !== "const") throw new Error("not a constant");
  return found.value;
}

/** C's notation with every pair of parentheses written out. */
function shown(value: ExprSyntax): string {
  switch (value.kind) {
    case "int":
    case "bool":
      return String(value.value);
    case "name":
      return value.path.map(({ text }) => text).join(".");
    case "sizeof":
      return `sizeof(${value.type.text})`;
    case "peek":
      return `peek(${value.type.text})`;
    case "unary":
      return `(${value.op}${shown(value.arg)})`;
    case "binary":
      return `(${shown(value.left)} ${value.op} ${shown(value.right)})`;
    case "conditional":
      return `(${shown(value.test)} ? ${shown(value.then)} : ${shown(value.else)})`;
  }
}

/** A tree without its places and empty docs; names are their text, expressions are written out. */
function plain(tree: unknown): unknown {
  if (Array.isArray(tree)) return tree.map(plain);
  if (typeof tree !== "object" || tree === null) return tree;
  if (isExpr(tree)) return shown(tree);
  const entries = Object.entries(tree).filter(([key]) => key !== "span" && key !== "file");
  if ("span" in tree && "text" in tree && entries.length === 1) return tree.text;
  return Object.fromEntries(
    entries.flatMap(([key, value]) => {
      const empty = key === "doc" && value.text === "" && value.notes.length === 0;
      return empty || value === undefined ? [] : [[key, plain(value)]];
    }),
  );
}

function isExpr(tree: object): tree is ExprSyntax {
  if (!("kind" in tree)) return false;
  return ["int", "bool", "name", "sizeof", "peek", "unary", "binary", "conditional"].includes(
    String(tree.kind),
  );
}

/** A field with nothing special about it. */
function like(type: string, name: string | undefined, more: object = {}): object {
  const base = { kind: "field", reserved: false, type: { name: type, args: [] }, dims: [], as: [], ...more };
  return name === undefined ? base : { ...base, name };
}

describe("the grammar", () => {
  it("has no mistakes that chevrotain can find", () => {
    expect(() => createLexer(false)).not.toThrow();
    expect(() => new WireParser(false)).not.toThrow();
  });
});

describe("a module", () => {
  it("has a name, an order, imports and declarations", () => {
    const text = [
      "/// What it is about.",
      "module virtio.stream.type big;",
      "import virtio.config { virtio_device_id, device_config, };",
      "import order.little { bits };",
      "const LIMIT = 0x40;",
    ].join("\n");
    expect(plain(read(text))).toEqual({
      name: "virtio.stream.type",
      order: "big",
      doc: { text: "What it is about.", notes: [] },
      imports: [
        { module: "virtio.config", names: ["virtio_device_id", "device_config"] },
        { module: "order.little", names: ["bits"] },
      ],
      decls: [{ kind: "const", name: "LIMIT", value: "64" }],
      text,
    });
    expect(read(text).file).toBe("test.wire");
  });

  it.each(["little", "big", "native"])("may be of order %s, and be called that", (order) => {
    expect(read(`module a.${order} ${order};`)).toMatchObject({ order, name: { text: `a.${order}` } });
  });

  it("may have Windows line ends", () => {
    const module = read("/// A doc.\r\nmodule a little;\r\n\r\nconst A = 1;\r\n");
    expect(plain(module.decls)).toEqual([{ kind: "const", name: "A", value: "1" }]);
    expect(module.doc.text).toBe("A doc.");
  });
});

describe("declarations", () => {
  it("enum, open and closed, with ranges", () => {
    expect(plain(decl("enum type : le16 { A = 0, B = X | 1, R = 0x10 .. 0x1f }"))).toEqual({
      kind: "enum",
      name: "type",
      closed: false,
      scalar: "le16",
      members: [
        { name: "A", value: "0" },
        { name: "B", value: "(X | 1)" },
        { name: "R", value: "16", to: "31" },
      ],
    });
    expect(plain(decl("closed enum mode : u8 { ACTIVE = 0, }"))).toMatchObject({
      closed: true,
      members: [{ name: "ACTIVE", value: "0" }],
    });
  });

  it("flags, and flags that extend others", () => {
    expect(plain(decl("flags more : le64 extends base { F = 1 << 32, G = 6 }"))).toEqual({
      kind: "flags",
      name: "more",
      scalar: "le64",
      extends: "base",
      members: [
        { name: "F", value: "(1 << 32)" },
        { name: "G", value: "6" },
      ],
    });
  });

  it("struct with parameters and order", () => {
    expect(plain(decl("struct saved (device_id device, order guest, u32 n) big { u8 x; }"))).toEqual({
      kind: "struct",
      name: "saved",
      stream: false,
      params: [
        { type: "device_id", name: "device" },
        { type: "order", name: "guest" },
        { type: "u32", name: "n" },
      ],
      order: "big",
      members: [like("u8", "x")],
    });
  });

  it("stream", () => {
    expect(plain(decl("stream records { rec records[..]; }"))).toEqual({
      kind: "struct",
      name: "records",
      stream: true,
      params: [],
      members: [like("rec", "records", { dims: [{ kind: "rest" }] })],
    });
  });

  it("commands", () => {
    const text = `commands cmds (device_id device) : le16 {
      /// Reads.
      0x07 GET () -> (mode_data);
      BASE + 1 SET (mode_data);
      0x0a READ () output (read_length) -> (read_result(device)) group(SELF);
    }`;
    const type = (name: string, args: string[] = []) => ({ kind: "type", type: { name, args } });
    expect(plain(decl(text))).toEqual({
      kind: "commands",
      name: "cmds",
      params: [{ type: "device_id", name: "device" }],
      scalar: "le16",
      rows: [
        {
          number: "7",
          name: "GET",
          payload: { kind: "none" },
          reply: type("mode_data"),
          attributes: [],
          doc: { text: "Reads.", notes: [] },
        },
        { number: "(BASE + 1)", name: "SET", payload: type("mode_data"), attributes: [] },
        {
          number: "10",
          name: "READ",
          payload: { kind: "none" },
          reply: type("read_result", ["device"]),
          attributes: [
            { kind: "output", name: "output", payload: type("read_length") },
            { kind: "group", name: "group", argument: "SELF" },
          ],
        },
      ],
    });
  });

  it("messages", () => {
    const text = `messages front : u32 {
      1 GET () -> (u64 features);
      5 SET (memory) fds(payload.nregions) ack;
      6 LOG () ack always(F_STATE);
      42 FD (transfer) -> (u64 result, reserved u8[4], u8 rest[..]) fds(1) reply_fds(0 .. 1) needs(F_STATE, F_ACK);
    }`;
    expect(plain(decl(text))).toMatchObject({
      kind: "messages",
      scalar: "u32",
      params: [],
      rows: [
        { reply: { kind: "fields", fields: [like("u64", "features")] } },
        {
          payload: { kind: "type", type: { name: "memory" } },
          attributes: [
            { kind: "fds", from: "payload.nregions" },
            { kind: "flag", name: "ack" },
          ],
        },
        {
          attributes: [
            { kind: "flag", name: "ack" },
            { kind: "always", flags: ["F_STATE"] },
          ],
        },
        {
          reply: {
            kind: "fields",
            fields: [
              like("u64", "result"),
              like("u8", undefined, { reserved: true, dims: [{ kind: "count", value: "4" }] }),
              like("u8", "rest", { dims: [{ kind: "rest" }] }),
            ],
          },
          attributes: [
            { kind: "fds", from: "1" },
            { kind: "reply_fds", from: "0", to: "1" },
            { kind: "needs", flags: ["F_STATE", "F_ACK"] },
          ],
        },
      ],
    });
  });
});

describe("fields", () => {
  it.each<[string, object]>([
    ["le16 size;", like("le16", "size")],
    ["reserved u8[6];", like("u8", undefined, { reserved: true, dims: [{ kind: "count", value: "6" }] })],
    ["reserved le16;", like("le16", undefined, { reserved: true })],
    ["reserved le16 pad;", like("le16", "pad", { reserved: true })],
    ["be32 magic = 0x10;", like("be32", "magic", { value: "16" })],
    ["le32 s where s >= 12 && s <= 30;", like("le32", "s", { where: "((s >= 12) && (s <= 30))" })],
    ["le32 s = 1 where s > 0;", like("le32", "s", { value: "1", where: "(s > 0)" })],
    ["le64 length as number;", like("le64", "length", { as: ["number"] })],
    ["le64 x as number as feature;", like("le64", "x", { as: ["number", "feature"] })],
    ["le64 x[2] as feature;", like("le64", "x", { as: ["feature"], dims: [{ kind: "count", value: "2" }] })],
    ["cfg in guest config;", like("cfg", "config", { order: "guest" })],
    ["reserved cfg in big;", like("cfg", undefined, { reserved: true, order: "big" })],
    [
      "u8 m[entries][6];",
      like("u8", "m", {
        dims: [
          { kind: "count", value: "entries" },
          { kind: "count", value: "6" },
        ],
      }),
    ],
    ["u8 a[..];", like("u8", "a", { dims: [{ kind: "rest" }] })],
    ["u8 a[bytes length / 2];", like("u8", "a", { dims: [{ kind: "bytes", value: "(length / 2)" }] })],
    [
      "u8 a[while remaining > 4];",
      like("u8", "a", { dims: [{ kind: "while", condition: "(remaining > 4)" }] }),
    ],
    ["u8 a[while !done];", like("u8", "a", { dims: [{ kind: "while", condition: "(!done)" }] })],
  ])("%s", (text, tree) => {
    expect(plain(field(text))).toEqual(tree);
  });

  it("with arguments and an order", () => {
    expect(plain(field("config(device, n + 1) in guest c[2];"))).toEqual({
      ...like("config", "c", { order: "guest", dims: [{ kind: "count", value: "2" }] }),
      type: { name: "config", args: ["device", "(n + 1)"] },
    });
  });
});

describe("members", () => {
  it("bits", () => {
    expect(
      plain(
        member("bits be32 msb { kind : 4; mode m : 2; reserved : W - 1; reserved old : 3; type type : 1; }"),
      ),
    ).toEqual({
      kind: "bits",
      scalar: "be32",
      msb: true,
      members: [
        { reserved: false, name: "kind", width: "4" },
        { reserved: false, type: "mode", name: "m", width: "2" },
        { reserved: true, width: "(W - 1)" },
        { reserved: true, name: "old", width: "3" },
        { reserved: false, type: "type", name: "type", width: "1" },
      ],
    });
    expect(plain(member("bits le16 { bits : 15; reserved : 1; }"))).toMatchObject({ msb: false });
  });

  it("within", () => {
    expect(plain(member("within (length) u8 x;"))).toEqual({
      kind: "within",
      atMost: false,
      length: "length",
      members: [like("u8", "x")],
    });
    expect(plain(member("within at_most (length - 4) { u8 x; u8 y; }"))).toEqual({
      kind: "within",
      atMost: true,
      length: "(length - 4)",
      members: [like("u8", "x"), like("u8", "y")],
    });
  });

  it("if, else, else if", () => {
    expect(plain(member("if (a) u8 x; else if (b) { u8 y; } else { }"))).toEqual({
      kind: "if",
      condition: "a",
      then: [like("u8", "x")],
      else: [{ kind: "if", condition: "b", then: [like("u8", "y")], else: [] }],
    });
    expect(plain(member("if (a) if (b) u8 x; else u8 y;"))).toMatchObject({
      condition: "a",
      then: [{ condition: "b", else: [like("u8", "y")] }],
      else: [],
    });
  });

  it("optional and where", () => {
    expect(plain(members("optional { u8 x; } optional le16 y; where length % 4096 == 0;"))).toEqual([
      { kind: "optional", members: [like("u8", "x")] },
      { kind: "optional", members: [like("le16", "y")] },
      { kind: "where", condition: "((length % 4096) == 0)" },
    ]);
  });

  it("switch", () => {
    const text = `switch (type) value {
      case 0: le32 speed;
      case 1, A: ;
      case 0x10 .. 0x1f, B: le16 vendor[..];
      default keep: u8 raw[..];
    }`;
    expect(plain(member(text))).toEqual({
      kind: "switch",
      on: "type",
      name: "value",
      cases: [
        { labels: [{ from: "0" }], arm: like("le32", "speed") },
        { labels: [{ from: "1" }, { from: "A" }] },
        {
          labels: [{ from: "16", to: "31" }, { from: "B" }],
          arm: like("le16", "vendor", { dims: [{ kind: "rest" }] }),
        },
      ],
      default: { kind: "keep", arm: like("u8", "raw", { dims: [{ kind: "rest" }] }) },
    });
  });

  it("switch without a name, with the other defaults and with none", () => {
    expect(plain(member("switch (t) { default refuse; }"))).toEqual({
      kind: "switch",
      on: "t",
      cases: [],
      default: { kind: "refuse" },
    });
    expect(plain(member("switch (t) { default skip if (t & 1): u8 raw[..]; }"))).toMatchObject({
      default: { kind: "skip", condition: "(t & 1)", arm: like("u8", "raw", { dims: [{ kind: "rest" }] }) },
    });
    expect(member("switch (t) { case 1: ; }")).toMatchObject({ default: undefined });
  });
});

describe("expressions", () => {
  it.each([
    ["1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"],
    ["a - b - c", "((a - b) - c)"],
    ["a / b % c * d", "(((a / b) % c) * d)"],
    ["1 << 2 + 3", "(1 << (2 + 3))"],
    // The trap of C, and C's reading of it.
    ["a & b == c", "(a & (b == c))"],
    ["(a & b) == c", "((a & b) == c)"],
    ["a | b ^ c & d", "(a | (b ^ (c & d)))"],
    ["a || b && c | d", "(a || (b && (c | d)))"],
    ["a < b == c >= d != e", "(((a < b) == (c >= d)) != e)"],
    ["a >> 1 <= b", "((a >> 1) <= b)"],
    ["-a + ~b * !c", "((-a) + ((~b) * (!c)))"],
    ["a - -1", "(a - (-1))"],
    ["- ~ !a", "(-(~(!a)))"],
    ["a ? b : c ? d : e", "(a ? b : (c ? d : e))"],
    ["a ? b ? c : d : e", "(a ? (b ? c : d) : e)"],
    ["a || b ? c + 1 : d", "((a || b) ? (c + 1) : d)"],
    ["hdr.inner.length", "hdr.inner.length"],
    ["sizeof(hdr) * 2", "(sizeof(hdr) * 2)"],
    ["sizeof + 1", "(sizeof + 1)"],
    ["peek(be32) != 0", "(peek(be32) != 0)"],
    ["peek != 0", "(peek != 0)"],
    ["true && !false", "(true && (!false))"],
    ["0xFFFFffff", "4294967295"],
    ["0b1010 + 0X10", "(10 + 16)"],
    ["18446744073709551615", "18446744073709551615"],
    ["0", "0"],
  ])("%s", (text, tree) => {
    expect(shown(expr(text))).toBe(tree);
  });
});

describe("names", () => {
  const keywords = [
    ..."const closed enum flags struct stream commands messages import reserved bits within if else".split(
      " ",
    ),
    ..."optional switch case default where module little big native extends in as msb at_most keep".split(
      " ",
    ),
    ..."skip refuse while bytes output fds reply_fds ack always needs group sizeof peek".split(" "),
    // Words with a meaning that the grammar does not know.
    ..."type order number bigint remaining bool char slack u8 le16".split(" "),
  ];

  it.each(keywords)("%s can name a field in every form of a field", (word) => {
    const forms = ["", "[4]", "[..]", " as number", " = 1", " where 1"];
    const text = forms.map((form) => `le16 ${word}${form};`).join("\n");
    expect(members(text).map((each) => each.kind === "field" && each.name?.text)).toEqual(
      forms.map(() => word),
    );
    expect(field(`reserved le16 ${word};`)).toMatchObject({ reserved: true, name: { text: word } });
    expect(field(`cfg in guest ${word};`)).toMatchObject({ order: { text: "guest" }, name: { text: word } });
  });

  it.each(keywords)("%s can be used as a value", (word) => {
    expect(shown(expr(`${word} + x.${word} * (${word})`))).toBe(`(${word} + (x.${word} * ${word}))`);
    expect(plain(field(`u8 a[${word}];`))).toMatchObject({ dims: [{ kind: "count", value: word }] });
    expect(plain(field(`u8 a[${word} - 1];`))).toMatchObject({
      dims: [{ kind: "count", value: `(${word} - 1)` }],
    });
    expect(plain(field(`u8 a[bytes ${word}];`))).toMatchObject({ dims: [{ kind: "bytes", value: word }] });
    expect(plain(member(`switch (${word}) ${word} { case ${word}: ; default refuse; }`))).toMatchObject({
      on: word,
      name: word,
      cases: [{ labels: [{ from: word }] }],
    });
    expect(plain(member(`where ${word} == 1;`))).toEqual({ kind: "where", condition: `(${word} == 1)` });
    expect(plain(member(`if (${word}) u8 ${word}; else u8 b;`))).toMatchObject({ condition: word });
  });

  it.each(keywords)("%s can name constants, members, parameters, bits, rows and modules", (word) => {
    expect(decl(`const ${word} = 1;`)).toMatchObject({ name: { text: word } });
    expect(decl(`enum e : u8 { ${word} = 1, b = ${word} }`)).toMatchObject({
      members: [{ name: { text: word } }, {}],
    });
    expect(decl(`flags e : u8 { ${word} = 1 }`)).toMatchObject({ members: [{ name: { text: word } }] });
    expect(decl(`struct s (u8 ${word}) { }`)).toMatchObject({ params: [{ name: { text: word } }] });
    expect(decl(`commands c : u8 { 1 ${word} (); ${word} x (); }`)).toMatchObject({
      rows: [{ name: { text: word } }, { number: { path: [{ text: word }] } }],
    });
    expect(read(`module ${word}.${word} little;`)).toMatchObject({ name: { text: `${word}.${word}` } });
    if (word !== "reserved") {
      expect(member(`bits u8 { ${word} : 8; }`)).toMatchObject({ members: [{ name: { text: word } }] });
    }
  });

  const statements = new Set(keywords.slice(0, keywords.indexOf("where") + 1));

  it.each(keywords.filter((word) => !statements.has(word)))("%s can name a type", (word) => {
    expect(decl(`struct ${word} { }`)).toMatchObject({ name: { text: word } });
    expect(field(`${word} x;`)).toMatchObject({ type: { name: { text: word } } });
    expect(field(`${word}(1) ${word};`)).toMatchObject({
      type: { name: { text: word } },
      name: { text: word },
    });
  });

  it.each([...statements])("%s cannot name a type, and that is said", (word) => {
    expect(problems(`module m little;\nstruct ${word} { }`)).toEqual([
      `2:8 syntax: expected a name for the struct, found the keyword \`${word}\``,
    ]);
  });

  it.each(["true", "false"])("%s cannot name anything", (word) => {
    expect(problems(`module m little;\nstruct s {\n  u8 ${word};\n}`)).toEqual([
      `3:6 syntax: expected a field name, found the keyword \`${word}\``,
    ]);
  });

  it("that begin with a keyword are whole names", () => {
    expect(plain(members("inner interface; le16 if_index; bitset bits_; whereabouts as_is;"))).toEqual([
      like("inner", "interface"),
      like("le16", "if_index"),
      like("bitset", "bits_"),
      like("whereabouts", "as_is"),
    ]);
  });

  it("`as` and `where` are names or keywords by what follows them", () => {
    expect(plain(field("le16 as as number where as > 1;"))).toEqual(
      like("le16", "as", { as: ["number"], where: "(as > 1)" }),
    );
    expect(plain(field("le16 where where where > 1;"))).toEqual(
      like("le16", "where", { where: "(where > 1)" }),
    );
    expect(plain(field("le16 in;"))).toEqual(like("le16", "in"));
    expect(plain(field("cfg in in in;"))).toEqual(like("cfg", "in", { order: "in" }));
    expect(plain(field("reserved le16 as number;"))).toEqual(
      like("le16", undefined, { reserved: true, as: ["number"] }),
    );
    expect(plain(field("reserved le16 where x == 0;"))).toEqual(
      like("le16", undefined, { reserved: true, where: "(x == 0)" }),
    );
    expect(plain(field("u8 a[while];"))).toEqual(
      like("u8", "a", { dims: [{ kind: "count", value: "while" }] }),
    );
    expect(plain(field("u8 a[bytes];"))).toEqual(
      like("u8", "a", { dims: [{ kind: "count", value: "bytes" }] }),
    );
  });
});

describe("doc comments", () => {
  it("keep prose and notes", () => {
    const text = `
      /// First line,
      /// second line.
      ///
      ///   indented
      /// @source virtio 1.4, a long title
      ///   that goes on here
      ///     and here
      /// @unit bytes
      /// More prose.
      /// @since
      const A = 1;`;
    expect(decl(text).doc).toEqual({
      text: "First line,\nsecond line.\n\n  indented\nMore prose.",
      notes: [
        { tag: "source", text: "virtio 1.4, a long title that goes on here and here" },
        { tag: "unit", text: "bytes" },
        { tag: "since", text: "" },
      ],
    });
  });

  it("an at sign inside a line, or alone, is prose", () => {
    expect(decl("/// mail a@b\n/// @ 3\nconst A = 1;").doc).toEqual({ text: "mail a@b\n@ 3", notes: [] });
  });

  it("are not ordinary comments, rulers and block comments", () => {
    const text = "// no\n//// no\n/* no */ /** no */\n/***/ const /* in */ A = 1; // after";
    expect(decl(text).doc).toEqual({ text: "", notes: [] });
  });

  it("may be parted by blank lines and ordinary comments", () => {
    expect(decl("/// one\n\n// not this\n/// two\nconst A = 1;").doc.text).toBe("one\ntwo");
  });

  it("attach to everything that can have one", () => {
    const module = read(`
      /// module
      module m little;
      /// enum
      closed enum e : u8 {
        /// member
        A = 1,
        /// last member
        B = 2
      }
      /// flags
      flags f : u8 {
        /// flag
        F = 1
      }
      /// struct
      struct s {
        /// field
        u8 a;
        /// reserved
        reserved u8[2];
        bits u8 {
          /// bits
          b : 7;
          /// reserved bits
          reserved : 1;
        }
        /// switch
        switch (a) {
          /// arm
          case 1: u8 x;
          case 2:
            /// other arm
            u8 y;
          /// default
          default keep: u8 raw[..];
        }
      }
      /// table
      messages t : u8 {
        /// row
        1 R (
          /// payload field
          u8 p
        );
      }`);
    const docs: string[] = [];
    const collect = (tree: unknown): void => {
      if (typeof tree !== "object" || tree === null) return;
      for (const [key, value] of Object.entries(tree)) {
        if (key === "doc") docs.push(value.text);
        else collect(value);
      }
    };
    collect(module);
    expect(docs.filter((doc) => doc !== "").sort()).toEqual(
      [
        ...[
          "module",
          "enum",
          "member",
          "last member",
          "flags",
          "flag",
          "struct",
          "field",
          "reserved",
          "bits",
        ],
        ...["reserved bits", "switch", "arm", "other arm", "default", "table", "row", "payload field"],
      ].sort(),
    );
  });

  it("go through conditions and ranges without braces to the field", () => {
    const text = `
      /// one
      if (a) optional within (3)
        /// two
        u8 x;
      else u8 y;`;
    expect(member(text)).toMatchObject({
      then: [{ members: [{ members: [{ doc: { text: "one\ntwo" } }] }] }],
      else: [{ doc: { text: "" } }],
    });
    expect(member("/// value\nwithin (3) switch (a) { default refuse; }")).toMatchObject({
      members: [{ kind: "switch", doc: { text: "value" } }],
    });
  });

  it.each([
    ["module m little;\n/// import\nimport a { b };", "2:1"],
    ["module m little;\nstruct s {\n  u8 x;\n  /// end\n}", "4:3"],
    ["module m little;\n/// end of file", "2:1"],
    ["module m little;\nstruct s {\n  /// block\n  if (1) { u8 x; }\n}", "3:3"],
    ["module m little;\nstruct s {\n  /// bits\n  /// and more\n  bits u8 { x : 8; }\n}", "3:3"],
    ["module m little;\nstruct s {\n  /// where\n  where 1;\n}", "3:3"],
    ["module m little;\nstruct s {\n  u8 /// name\n x;\n}", "3:6"],
    ["module m little;\nstruct s {\n  u8 x; /// trailing\n  u8 y;\n}", "3:9"],
    [
      "module m little;\nstruct s {\n  switch (x) {\n  /// empty\n  case 1: ;\n  default refuse;\n}\n}",
      "4:3",
    ],
  ])("that describe nothing are reported: %j", (text, place) => {
    const found = problems(text);
    expect(found).toEqual([expect.stringMatching(`^${place} stray-doc: `)]);
    // The module is there all the same: nothing of it has been lost.
    expect(parse("test.wire", text).module).toBeDefined();
  });
});

describe("spans", () => {
  const text = `
    module a.b little;
    import c . d { e };
    struct s (u8 n) {
      le16 length as number where (length & 1) == 0;
      hdr(n + 1) in big h[n][..];
      bits u8 { x : 8; }
      within (length) { u8 y; }
      if (-n) u8 z; else { }
      switch (n) v { case 1 .. 2: u8 q; default refuse; }
      where n ? sizeof(hdr) : ~h.length;
    }`;
  const module = read(text);

  it("of names are the names", () => {
    const names: string[] = [];
    const collect = (tree: unknown): void => {
      if (typeof tree !== "object" || tree === null) return;
      if ("text" in tree && "span" in tree && Object.keys(tree).length === 2) {
        const { start, end } = tree.span as { start: number; end: number };
        expect(text.slice(start, end).replaceAll(" ", "")).toBe(tree.text);
        names.push(String(tree.text));
      } else {
        Object.values(tree).forEach(collect);
      }
    };
    collect([module.name, module.imports, module.decls]);
    expect(names.join(" ")).toBe(
      "a.b c.d e s u8 n le16 length number length hdr n big h n " +
        "u8 x length u8 y n u8 z n v u8 q n hdr h length",
    );
  });

  it("of expressions and members are their text", () => {
    const spans: string[] = [];
    const collect = (tree: unknown): void => {
      if (typeof tree !== "object" || tree === null) return;
      if ("span" in tree && "kind" in tree) {
        const { start, end } = tree.span as { start: number; end: number };
        spans.push(text.slice(start, end));
      }
      Object.values(tree).forEach(collect);
    };
    collect(module.decls);
    expect(spans).toEqual([
      "le16 length as number where (length & 1) == 0;",
      "(length & 1) == 0",
      "(length & 1)",
      "length",
      "1",
      "0",
      "hdr(n + 1) in big h[n][..];",
      "n + 1",
      "n",
      "1",
      "[n]",
      "n",
      "[..]",
      "bits u8 { x : 8; }",
      "8",
      "within (length) { u8 y; }",
      "length",
      "u8 y;",
      "if (-n) u8 z; else { }",
      "-n",
      "n",
      "u8 z;",
      "switch (n) v { case 1 .. 2: u8 q; default refuse; }",
      "n",
      "1",
      "2",
      "u8 q;",
      "default refuse;",
      "where n ? sizeof(hdr) : ~h.length;",
      "n ? sizeof(hdr) : ~h.length",
      "n",
      "sizeof(hdr)",
      "~h.length",
      "h.length",
    ]);
  });
});

describe("recovery", () => {
  it("reports one mistake of each statement and reads on", () => {
    const text = `module m little;
struct a {
  le16 ;
  le16 x
  le16 y;
  le16 z 4;
  if x) le16 w;
  [4];
  le16 ok;
}
const B = ;
struct c {
  u8 d[;
};
enum e : u8 { A = 1 B = 2 }
struct f { u8 x; }
junk
struct g {
`;
    expect(problems(text)).toEqual([
      "3:8 syntax: expected a field name, found `;`",
      "4:9 syntax: expected `;` after `x`",
      "6:10 syntax: expected `;`, found `4`",
      "7:6 syntax: expected `(`, found `x`",
      "8:3 syntax: expected a field or `}`, found `[`",
      "11:11 syntax: expected an expression, found `;`",
      "13:8 syntax: expected a number of elements, `bytes`, `while` or `..`, found `;`",
      "14:2 syntax: a declaration is not followed by `;`",
      "15:21 syntax: expected `,`, found `B`",
      "17:1 syntax: expected a declaration (`const`, `enum`, `flags`, `struct`, `stream`, `commands` or `messages`), found `junk`",
      "18:11 syntax: expected a field or `}`, found the end of the file",
    ]);
  });

  it("shows the bracket that is not closed", () => {
    const text = "module m little;\nstruct a {\n  if (x) {\n  u8 y;\n\nstruct b { u8 z; }\n";
    const { diagnostics } = parse("test.wire", text);
    expect(diagnostics).toHaveLength(1);
    expect(diagnostics[0]).toMatchObject({
      message: "expected a field or `}`, found the keyword `struct`",
      related: {
        message: "opened here",
        span: { start: text.indexOf("{\n  u8 y"), end: text.indexOf("\n  u8 y") },
      },
    });
  });

  it("starts every file afresh", () => {
    const bad = "module m little;\nstruct s { u8 }";
    const good = "module m little;\nstruct s { u8 x; }";
    const first = parse("a.wire", bad);
    expect(parse("a.wire", bad)).toEqual(first);
    expect(parse("b.wire", good).diagnostics).toEqual([]);
    expect(parse("a.wire", bad)).toEqual(first);
  });
});

describe("limits", () => {
  const limit = (text: string): string[] =>
    problems(`module m little;\n${text}`).map((each) => each.slice(each.indexOf(" ") + 1));

  it.each([
    ["parentheses", `const X = ${"(".repeat(10_000)}1${")".repeat(10_000)};`],
    ["open parentheses", `const X = ${"(".repeat(500_000)}`],
    ["conditional operators", `const X = ${"1 ? 1 : ".repeat(10_000)}1;`],
    ["conditions", `struct s { ${"if (1) ".repeat(10_000)}u8 x; }`],
    ["blocks", `struct s { ${"optional { ".repeat(10_000)}`],
    ["else branches", `struct s { if (1) u8 x; ${"else if (1) u8 x; ".repeat(10_000)}}`],
  ])("of nesting: %s", (_, text) => {
    expect(limit(text)).toEqual(["limit: nested more than 64 levels deep"]);
  });

  it("but sensible nesting is no trouble", () => {
    expect(shown(expr(`${"(".repeat(60)}1${")".repeat(60)}`))).toBe("1");
    expect(members(`${"if (1) ".repeat(60)}u8 x;`)).toHaveLength(1);
  });

  it.each([
    ["a chain", `const X = 1${" + 1".repeat(10_000)};`],
    ["signs", `const X = ${"-".repeat(10_000)}1;`],
    ["chains in parentheses", `const X = ${"(".repeat(40)}1${`${" + 1".repeat(20)})`.repeat(40)};`],
  ])("of operators: %s", (_, text) => {
    expect(limit(text)).toEqual(["limit: an expression may have at most 500 operators"]);
  });

  it("of operators hold for each expression alone", () => {
    const half = `1${" + 1".repeat(400)}`;
    expect(limit(`const A = ${half};\nconst B = ${half};`)).toEqual([]);
  });

  it("of size", () => {
    const most = `module m little;\n//${"x".repeat((1 << 20) - 19)}`;
    expect(most).toHaveLength(1 << 20);
    expect(parse("a.wire", most).diagnostics).toEqual([]);
    expect(parse("a.wire", `${most}x`)).toEqual({
      module: undefined,
      diagnostics: [
        {
          code: "limit",
          message: "a schema may be 1048576 characters long, this file has 1048577",
          file: "a.wire",
          span: { start: 0, end: 0 },
        },
      ],
    });
  });

  it.each([
    ["syntax", "struct s { u8; }\n"],
    ["repetition", "enum e : u8 { A = 1 B = 2 ( C = 3 }\n"],
    ["bad-character", "@\n"],
    ["bad-number", "const A = 0x;\n"],
    ["insertion", "struct s {\nu8 x\nu8 y\n}\n"],
  ])("of diagnostics: %s", (_, line) => {
    const found = parse("a.wire", `module m little;\n${line.repeat(10_000)}`).diagnostics;
    expect(found.length).toBeGreaterThan(20);
    expect(found.length).toBeLessThanOrEqual(101);
  });
});

// Each of them took minutes, or the stack, while something was quadratic or recursive.
describe("a flood on one line ends soon", () => {
  it.each([
    ["of semicolons", `struct s { ${";".repeat(1_000_000)}`],
    ["of bad characters", "@ ".repeat(500_000)],
    ["of brackets", "{".repeat(1_000_000)],
    ["of closing brackets", "}".repeat(1_000_000)],
    ["of missing commas", `enum e : u8 { ${"A = 1 ".repeat(150_000)}`],
    ["of comments", "/*".repeat(500_000)],
    ["of digits", `const A = ${"9".repeat(1_000_000)};`],
  ])("%s", (_, text) => {
    const { diagnostics } = parse("a.wire", `module m little;\n${text}`);
    expect(diagnostics.length).toBeGreaterThan(0);
    expect(diagnostics.length).toBeLessThan(4);
    for (const { span } of diagnostics) expect(span.end).toBeGreaterThanOrEqual(span.start);
  });
});

describe("speed", () => {
  it("takes no longer for a line of a long file than for one of a short file", () => {
    const struct = (n: number): string => `
/// A structure of some length.
/// @source somewhere
struct header_${n} (u8 kind) {
  /// A field.
  le16 type as number where type >= 12 && type <= 30;
  reserved u8[6];
  le64 length as number;
  within (length) switch (type) value {
    case 0: le32 speed;
    case 0x10 .. 0x1f: le16 vendor[..];
    default keep: u8 raw[..];
  }
}`;
    const fastest = (structs: number): number => {
      const text = `module m little;${Array.from({ length: structs }, (_, n) => struct(n)).join("")}`;
      const times = Array.from({ length: 8 }, () => {
        const before = process.cpuUsage();
        parse("m.wire", text);
        const { user, system } = process.cpuUsage(before);
        return user + system;
      });
      // The best of them: the others say more about the machine.
      return Math.min(...times);
    };
    fastest(20);
    expect(fastest(320) / 320).toBeLessThan((4 * fastest(40)) / 40);
  });
});
