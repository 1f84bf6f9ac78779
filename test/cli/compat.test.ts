/** The command `compat`: arguments, output, exit codes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder, virtwire } from "./harness.js";

const OLD = "module example.a little;\nstruct header { le16 type; le16 length; }\n";
const MOVED = "module example.a little;\nstruct header { le16 length; le16 type; }\n";
const GROWN = "module example.a little;\nstruct header { le16 type; le16 length; le32 flags; }\n";
const BROKEN = "module example.a little;\nstruct header { le17 type; }\n";

function schema(text: string): string {
  const path = join(temporaryFolder(), "a.wire");
  writeFileSync(path, text);
  return path;
}

describe("virtwire compat", () => {
  it("says that nothing changed", async () => {
    const path = schema(OLD);
    expect(await virtwire(["compat", path, path])).toEqual({
      code: 0,
      out: "0 changes, compatible (profile wire)\n",
      err: "",
    });
  });

  it("shows a message on which the versions disagree", async () => {
    const { code, out, err } = await virtwire(["compat", schema(OLD), schema(MOVED)]);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out).toBe(
      [
        "a.wire:2: example.a header",
        "  field-moved `length`",
        "    A member stands before or behind others than it did.",
        "    old readers, new data: breaks",
        "      header 01 02 03 04",
        "      length is 0x201 to the writer, 0x403 to the reader",
        "    new readers, old data: breaks",
        "      header 01 02 03 04",
        "      length is 0x403 to the writer, 0x201 to the reader",
        "",
        "1 change, not compatible (profile wire)",
        "",
      ].join("\n"),
    );
  });

  it("writes JSON", async () => {
    const { code, out } = await virtwire(["compat", "--format", "json", schema(OLD), schema(GROWN)]);
    expect(code).toBe(1);
    const witness = { struct: "header", arguments: {}, bytes: "01020304", path: "flags", offset: 4 };
    expect(JSON.parse(out)).toMatchObject({
      profile: "wire",
      compatible: false,
      changes: [{ rule: "field-appended", declaration: "header", oldData: { kind: "breaks", witness } }],
    });
  });

  it("takes folders and profiles", async () => {
    const [old, now] = [temporaryFolder(), temporaryFolder()];
    for (const [folder, text] of [
      [old, OLD],
      [now, GROWN],
    ] as const) {
      mkdirSync(join(folder, "x"));
      writeFileSync(join(folder, "x", "a.wire"), text);
    }
    const { code, out } = await virtwire(["compat", "--profile", "device-context", old, now]);
    expect(code).toBe(0);
    expect(out).toContain("field-appended `flags`");
  });

  it.each([
    [["compat", schemaName(), schemaName()], "no such file"],
    [["compat", "--profile", "loose", schemaName(), schemaName()], "no profile"],
    [["compat", "--format", "xml", schemaName(), schemaName()], "no format"],
    [["compat", schemaName()], "NEW"],
  ])("refuses %j", async (argv, why) => {
    const { code, err } = await virtwire(argv);
    expect(code).toBe(2);
    expect(err.toLowerCase()).toContain(why.toLowerCase());
  });

  it("shows what is wrong with a schema", async () => {
    const { code, err, out } = await virtwire(["compat", schema(OLD), schema(BROKEN)]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("a.wire:2:17: error:");
  });
});

function schemaName(): string {
  return "not-there.wire";
}
