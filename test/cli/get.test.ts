import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { bytes, deviceParts } from "../streams/wire-bytes.js";
import { temporaryFolder, virtwire } from "./harness.js";

const S390 = fileURLToPath(new URL("../captures/s390x-ccw.bin", import.meta.url));
const X86 = fileURLToPath(new URL("../captures/x86-q35-net-blk.bin", import.meta.url));
const QSD = fileURLToPath(new URL("../captures/vhost-user-qsd.jsonl", import.meta.url));

interface LeafRow {
  readonly path: string;
  readonly type?: string;
  readonly _offset?: number;
  readonly _size?: number;
  readonly value?: string | number;
}

function rows(out: string): LeafRow[] {
  return out
    .trimEnd()
    .split("\n")
    .map((line): LeafRow => JSON.parse(line));
}

describe("virtwire get", () => {
  it("prints values with their paths and meanings", async () => {
    const { code, out, err } = await virtwire([
      "get",
      X86,
      "configuration.machine",
      "commands.**.cmd",
      "sections[timer].cpu*",
    ]);
    expect([code, err]).toEqual([0, ""]);
    expect(out.split("\n")).toEqual([
      'configuration.machine = "pc-q35-10.0"',
      "commands[0].cmd = 11 (0xb)",
      "commands[0].command.cmd = 11 (0xb, MIG_CMD_SWITCHOVER_START)",
      expect.stringMatching(/^sections\["timer"\]\.cpu_ticks_offset = \d+ \(0x[0-9a-f]+\)$/),
      expect.stringMatching(/^sections\["timer"\]\.cpu_clock_offset = \d+ \(0x[0-9a-f]+\)$/),
      "",
    ]);
  });

  it("says of every integer what stands at its place in the file", async () => {
    const file = readFileSync(S390);
    const { out } = await virtwire(["get", S390, "sections.**", "--format", "jsonl"]);
    const integers = rows(out).filter(({ type = "" }) => /^u?int(?:8|16|32|64)$/.test(type));
    expect(integers.length).toBeGreaterThan(200);
    for (const { type = "", _offset = 0, _size = 0, value = "", path } of integers) {
      const stored = BigInt(`0x${file.subarray(_offset, _offset + _size).toString("hex")}`);
      const read = type.startsWith("u") ? stored : BigInt.asIntN(_size * 8, stored);
      // Beyond 2^53 JSON.parse rounds.
      if (Number.isSafeInteger(Number(read))) expect(BigInt(value), path).toBe(read);
    }
  });

  it("finds each value again by the path that it printed", async () => {
    const all = rows((await virtwire(["get", QSD, "**", "--format", "jsonl"])).out);
    for (let i = 0; i < all.length; i += 29) {
      const row = all[i];
      const again = rows((await virtwire(["get", QSD, row?.path ?? "", "--format", "jsonl"])).out);
      expect(again).toEqual([row]);
    }
  });

  it("finds what stands at an offset or in a range, once", async () => {
    const [first] = rows(
      (await virtwire(["get", X86, "sections[timer].cpu_ticks_offset", "--format", "jsonl"])).out,
    );
    const at = first?._offset ?? 0;
    for (const range of [`@${at}`, `@0x${(at + 7).toString(16)}`, `@${at + 3}+2`, `@${at}..${at + 8}`]) {
      const { code, out } = await virtwire(["get", X86, range, "--format", "jsonl"]);
      expect([code, rows(out)], range).toEqual([0, [first]]);
    }
    const both = await virtwire([
      "get",
      X86,
      `@${at}`,
      "sections[timer].cpu_ticks_offset",
      "--format",
      "jsonl",
    ]);
    expect(rows(both.out)).toEqual([first]);
    // Inside the pages of memory, the smallest thing that is known is a part of the section.
    expect((await virtwire(["get", X86, "@0x10000"])).out).toBe('sections["ram"].parts[1] = 915083 bytes\n');
  });

  it("prints one list as JSON, also when it is empty", async () => {
    const { out } = await virtwire(["get", X86, "commands[0]", "--format", "json"]);
    expect(JSON.parse(out)).toContainEqual({ path: "commands[0].cmd", value: 11 });
    const none = await virtwire(["get", X86, "commands[1]", "--format", "json"]);
    expect([none.code, JSON.parse(none.out)]).toEqual([1, []]);
  });

  it("prints a bare value, of which there has to be one", async () => {
    const raw = (...paths: string[]) => virtwire(["get", "--raw", X86, ...paths]);
    expect(await raw("configuration.machine")).toEqual({ code: 0, out: "pc-q35-10.0\n", err: "" });
    expect((await raw("sections[timer].unused")).out).toBe("0000000000000000\n");
    expect(await raw("sections[timer].*")).toMatchObject({
      code: 2,
      out: "",
      err: "--raw prints one value: 9 match sections[timer].* (see virtwire get --help)\n",
    });
  });

  it("gives 1 when nothing matches, and says what is there instead", async () => {
    const { code, out, err } = await virtwire(["get", X86, "sections[timer].cpu_tick"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toBe(
      `${X86}: no value matches sections["timer"].cpu_tick; sections["timer"] has cpu_ticks_offset, unused, cpu_clock_offset, phase, section_id, instance_id, version_id, body_offset, body_size\n`,
    );
    expect((await virtwire(["get", X86, "sections[tim]"])).err).toBe(
      `${X86}: no value matches sections["tim"]\n`,
    );
  });

  it("gives 2 for a path that cannot be understood", async () => {
    const { code, err } = await virtwire(["get", X86, "sections["]);
    expect([code, err]).toEqual([
      2,
      "sections[: character 10: a bracket is not closed (see virtwire get --help)\n",
    ]);
    expect((await virtwire(["get", X86])).err).toContain("PATH");
  });

  it("prints what it can of a damaged file, and gives 4", async () => {
    const path = join(temporaryFolder(), "cut.bin");
    writeFileSync(path, readFileSync(X86).subarray(0, 1_000_000));
    const { code, out, err } = await virtwire(["get", path, "configuration.machine"]);
    expect([code, out]).toEqual([4, 'configuration.machine = "pc-q35-10.0"\n']);
    expect(err).toMatch(new RegExp(`^${path}:0x[0-9a-f]+: [^\\n]+\\n$`));
    expect((await virtwire(["get", path, "nothing"])).code).toBe(4);
  });

  it("reads every kind of capture, from a pipe too", async () => {
    const parts = [bytes(...deviceParts())];
    const { out } = await virtwire(["get", "-", "--as", "device-parts", "parts[0].**"], { input: parts });
    expect(out).toMatch(/^parts\[0\]\.index = 0\nparts\[0\]\.[a-z_.]+ = /);
    expect((await virtwire(["get", QSD, "messages[1].payload.features"])).out).toMatch(
      /^messages\[1\]\.payload\.features = 6257933894 \(0x175007e46, /,
    );
  });
});
