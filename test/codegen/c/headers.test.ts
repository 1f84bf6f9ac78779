/**
 * The C headers: gcc compiles what the generator prints, and its own sizeof and offsetof answer for the layouts. The
 * expected numbers are written down here by hand from the language's rule (everything is packed).
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cHeaders, cTarget } from "../../../src/codegen/c/index.js";
import type { OutputFile } from "../../../src/codegen/output.js";
import { compile, type SchemaFile } from "../../../src/schema/index.js";

const hasGcc = spawnSync("gcc", ["--version"]).status === 0;
if (!hasGcc) process.stderr.write("SKIPPED: no gcc, so nobody has judged the C headers\n");

function headers(files: readonly SchemaFile[], target = cTarget): readonly OutputFile[] {
  const { program, diagnostics } = compile(files);
  expect(diagnostics).toEqual([]);
  if (program === undefined) throw new Error("unreachable: there were no diagnostics");
  return target.generate(program, {});
}

function header(body: string, order = "little"): string {
  const [file] = headers([{ file: "t.wire", text: `module t ${order};\n${body}` }]);
  return file?.text ?? "";
}

const FILES: readonly SchemaFile[] = [
  {
    file: "base/scalars.wire",
    text: `/// Scalars of every width.
module base.scalars little;

const MAX_THINGS = 64;
const HUGE_MASK = 0xffffffff00000000;

enum color : le16 {
  COLOR_RED = 1,
  /// Kept free. */ /* not the end
  COLOR_SPARE = 0x10 .. 0x1f }

flags feature : le64 { F_VERSION_1 = 1 << 32, F_RO = 1 << 5 }

/// All of the scalars.
/// @source nowhere */
struct scalars {
  u8 a; s8 b;
  le16 c; be16 d; sle16 e; sbe16 f;
  le32 g; be32 h; sle32 i; sbe32 j;
  le64 k; be64 l; sle64 m; sbe64 n;
  color o;
  feature p;
  be32 magic = 0x5145564d;
  reserved u8[3];
  char name[12];
  u8 mac[6];
  le16 grid[3][2];
  le32 default;
}

struct bits_inside {
  u8 before;
  bits le16 { low : 3; reserved : 4; top : 9; }
  bits be64 msb { high : 1; rest : 63; }
  u8 after;
}
`,
  },
  {
    file: "top.wire",
    text: `module top big;
import base.scalars { scalars, bits_inside };

struct pair { scalars one; bits_inside two[2]; u16 tail; }
struct counted { u16 count; u32 items[count]; }
struct macs { le32 entries; u8 macs[entries][6]; }
struct counted_pairs { u8 n; pair pairs[n]; }
struct bounded { u32 size; within (size) { u8 kind; reserved u8; u16 rest[..]; } }
struct only_tail { u8 data[..]; }
struct chosen { u8 tag; switch (tag) { case 1: u32 a; case 2: u16 b; default refuse; } }
struct asked { u8 tag; if (tag == 1) u32 a; u16 after; }
struct later { u16 size; u8 text[size]; u32 crc; }
struct holds_variable { u16 size; counted inside; }
struct same_size { u8 tag; switch (tag) { case 1: u32 a; default keep: u8 raw[4]; } }
struct holds_same_size { u16 count; same_size list[count]; }
`,
  },
];

describe.skipIf(!hasGcc)("C headers", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "virtwire-c-"));
    execFileSync("mkdir", ["-p", join(folder, "base")]);
    for (const { path, text } of headers(FILES)) writeFileSync(join(folder, path), text);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const gcc = (text: string, ...flags: string[]): string => {
    writeFileSync(join(folder, "main.c"), text);
    const args = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", ...flags, "main.c", "-o", "main"];
    const { status, stderr } = spawnSync("gcc", args, { cwd: folder, encoding: "utf8" });
    return status === 0 ? "" : stderr;
  };

  /** What a C program prints for these expressions. */
  const evaluate = (...expressions: string[]): number[] => {
    const prints = expressions.map((text) => `printf("%lld\\n", (long long)(${text}));`).join("\n");
    expect(gcc(`#include <stdio.h>\n#include "top.h"\nint main(void) {\n${prints}\nreturn 0;\n}\n`)).toBe("");
    const out = execFileSync(join(folder, "main"), { encoding: "utf8" });
    return out.trim().split("\n").map(Number);
  };

  it("compile without a warning, twice included, beside the kernel's own", () => {
    const text = `#if __has_include(<linux/virtio_config.h>)
#include <linux/virtio_ids.h>
#include <linux/virtio_config.h>
#endif
#include "top.h"
#include "base/scalars.h"
#include "top.h"
int main(void) { return 0; }
`;
    expect(gcc(text)).toBe("");
  });

  it("lay fields out packed", () => {
    const size = 2 + 8 + 16 + 32 + 2 + 8 + 4 + 3 + 12 + 6 + 12 + 4;
    expect(
      evaluate(
        "sizeof(struct wire_scalars)",
        "offsetof(struct wire_scalars, k)",
        "offsetof(struct wire_scalars, o)",
        "offsetof(struct wire_scalars, reserved)",
        "offsetof(struct wire_scalars, grid[2][1])",
        "offsetof(struct wire_scalars, default_)",
        "sizeof(struct wire_bits_inside)",
        "sizeof(struct wire_pair)",
        "offsetof(struct wire_pair, two[1].after)",
      ),
    ).toEqual([size, 26, 58, 72, size - 6, size - 4, 12, size + 26, size + 23]);
  });

  it("end variable structs in a flexible array, or before what C cannot say", () => {
    expect(
      evaluate(
        "sizeof(struct wire_counted)",
        "offsetof(struct wire_counted, items[2])",
        "offsetof(struct wire_macs, macs[3][5])",
        "offsetof(struct wire_counted_pairs, pairs[1]) - sizeof(struct wire_pair)",
        "offsetof(struct wire_bounded, rest)",
        "sizeof(struct wire_chosen)",
        "sizeof(struct wire_asked)",
        "sizeof(struct wire_later)",
        "sizeof(struct wire_holds_variable)",
        "offsetof(struct wire_holds_same_size, list[2])",
      ),
    ).toEqual([2, 10, 4 + 18 + 5, 1, 6, 1, 1, 2, 2, 12]);
  });

  it("give the values of constants, enums, flags and bits", () => {
    expect(
      evaluate(
        "WIRE_MAX_THINGS",
        "WIRE_HUGE_MASK == 0xffffffff00000000ull",
        "WIRE_COLOR_RED",
        "WIRE_COLOR_SPARE_FIRST * 256 + WIRE_COLOR_SPARE_LAST",
        "WIRE_F_VERSION_1 == 1ull << 32",
        "WIRE_F_RO",
        "WIRE_BITS_INSIDE_TOP_SHIFT",
        "WIRE_BITS_INSIDE_TOP_MASK",
        "WIRE_BITS_INSIDE_HIGH_SHIFT",
        "WIRE_BITS_INSIDE_HIGH_MASK == 1ull << 63",
        "WIRE_BITS_INSIDE_REST_MASK == ~(1ull << 63)",
      ),
    ).toEqual([64, 1, 1, 0x101f, 1, 32, 7, 0xff80, 63, 1, 1]);
  });

  it("fail to compile when a layout is wrong", () => {
    const path = join(folder, "base/scalars.h");
    const [right] = headers(FILES);
    const text = right?.text ?? "";
    for (const [from, to] of [
      ["le32 g;", "le16 g;"],
      [" __attribute__((packed))", ""],
      ["uint8_t reserved[3];", "uint8_t reserved[4];"],
    ] as const) {
      expect(text).toContain(from);
      writeFileSync(path, text.replace(from, to));
      expect(gcc('#include "base/scalars.h"\nint main(void) { return 0; }\n')).toContain(
        "static assertion failed",
      );
    }
    writeFileSync(path, text);
  });
});

describe("C headers say", () => {
  it("why a struct ends before the value does", () => {
    const text = header("struct chosen { u8 tag; switch (tag) body { case 1: u32 a; default refuse; } }");
    expect(text).toContain("Here only its first 1 bytes: body depends on a tag");
    const middle = header("struct later { le16 size; u8 text[size]; le32 crc; }");
    expect(middle).toContain("Here only its first 2 bytes: text has no constant size");
    expect(middle).not.toContain("text[]");
    expect(header("struct only_tail { u8 data[..]; }")).toContain("Not in C: uint8_t data[]");
  });

  it("names that two modules give to different things with the module", () => {
    const files = ["draft", "v1_4"].map((profile, value) => ({
      file: `${profile}.wire`,
      text: `module ${profile} little;\nconst LIMIT = ${value};\nstruct data { le16 a; }\nstruct only_${profile} { data d; }`,
    }));
    const [first, second] = headers(files);
    expect(first?.text).toContain("#define WIRE_DRAFT_LIMIT 0U");
    expect(second?.text).toContain("#define WIRE_V1_4_LIMIT 1U");
    expect(second?.text).toContain("struct wire_only_v1_4 {\n\tstruct wire_v1_4_data d;");
  });

  it("names behind the prefix that is asked for", () => {
    const files = [{ file: "t.wire", text: "module t little;\nconst LIMIT = 1;\nstruct data { le16 a; }" }];
    const [plain] = headers(files, cHeaders({ prefix: "" }));
    expect(plain?.text).toContain("struct data {");
    expect(plain?.text).toContain("#define LIMIT 1U");
    expect(plain?.text).toContain("#ifndef T_H");
  });
});
