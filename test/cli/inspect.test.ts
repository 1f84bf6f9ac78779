import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { bytes, deviceParts } from "../streams/wire-bytes.js";
import { temporaryFolder, virtwire } from "./harness.js";

const CAPTURE = fileURLToPath(new URL("../captures/s390x-ccw.bin", import.meta.url));

describe("virtwire inspect", () => {
  it("explains a file", async () => {
    const { code, out, err } = await virtwire(["inspect", CAPTURE]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(`${CAPTURE}: QEMU migration stream`);
    expect(out).toContain("verdict");
  });

  it("explains standard input, in chunks of any size, as it explains the file", async () => {
    const input = new Uint8Array(readFileSync(CAPTURE));
    const chunks = [input.subarray(0, 3), input.subarray(3, 100_000), input.subarray(100_000)];
    const file = await virtwire(["inspect", CAPTURE]);
    const pipe = await virtwire(["inspect", "-"], { input: chunks });
    expect(pipe.code).toBe(0);
    expect(pipe.out.split("\n").slice(1)).toEqual(file.out.split("\n").slice(1));
  });

  it("says first, in one line, what is wrong with a damaged file, shows the rest, and gives 4", async () => {
    const input = new Uint8Array(readFileSync(CAPTURE));
    const path = join(temporaryFolder(), "cut.bin");
    writeFileSync(path, input.subarray(0, 320_000));
    const { code, out, err } = await virtwire(["inspect", path]);
    expect(code).toBe(4);
    expect(err).toMatch(new RegExp(`^${path}:0x[0-9a-f]+: [^\\n]+\\n$`));
    expect(out).toContain("s390-ccw-virtio-10.0");
    expect(out).toContain("damaged");
  });

  it("refuses what it cannot read in one line that names the kind, and gives 4", async () => {
    const { code, out, err } = await virtwire(["inspect", "-"], { input: [bytes("QFI", 0xfb)] });
    expect([code, out]).toEqual([4, ""]);
    expect(err).toBe(
      "standard input: not supported: a qcow2 image, which is read by its tables: give the file itself, unpacked\n",
    );
    expect(await virtwire(["inspect", "-"], { input: [] })).toEqual({
      code: 4,
      out: "",
      err: "standard input: empty\n",
    });
    expect((await virtwire(["inspect", "-"], { input: [bytes("nothing of the kind")] })).err).toContain(
      "no kind of capture",
    );
  });

  it("takes the channels of a migration together, and says when they do not fit", async () => {
    const path = (name: string) => fileURLToPath(new URL(`../captures/${name}`, import.meta.url));
    const main = path("x86-q35-return-path.bin");
    const answers = path("x86-q35-return-path.return.bin");
    const sound = await virtwire(["inspect", answers, main]);
    expect(sound).toMatchObject({ code: 0, err: "" });
    expect(sound.out).toContain("together: QEMU migration");
    expect(sound.out).toMatch(/clean: no fault in any file, and all of them fit together\n$/);
    const lines = await virtwire(["inspect", "--format", "jsonl", answers, main]);
    expect(lines.out).toContain('"path":"parts[0].messages[0]"');
    const json = await virtwire(["inspect", "--format", "json", answers, main]);
    expect(JSON.parse(json.out)).toMatchObject({ summary: { kind: "qemu-migration", fault_count: 0 } });
    const strange = await virtwire(["inspect", path("x86-q35-net-blk.bin"), answers]);
    expect(strange.code).toBe(4);
    expect(strange.out).toContain("PONG 1 answers no PING");
    expect((await virtwire(["inspect", "--as", "qemu-stream", main, answers])).code).toBe(2);
  });

  it("takes a kind and a device from the command line", async () => {
    const input = [bytes(...deviceParts())];
    const { code, out } = await virtwire(["inspect", "--as", "device-parts", "--device", "net", "-"], {
      input,
    });
    expect(code).toBe(0);
    expect(out).toMatch(/device +VIRTIO_ID_NET/);
    expect((await virtwire(["inspect", "--as", "qemu-stream", "-"], { input })).code).toBe(4);
  });

  it("writes JSON and JSON lines", async () => {
    const json = await virtwire(["inspect", "--format", "json", CAPTURE]);
    expect(JSON.parse(json.out).summary.machine).toBe("s390-ccw-virtio-10.0");
    const lines = await virtwire(["inspect", "--format=jsonl", CAPTURE]);
    const records = lines.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records[records.length - 1].record).toBe("summary");
    expect(JSON.parse(json.out).records).toEqual(records.slice(0, -1));
  });

  it("goes into depth with -v, and deeper with -vv", async () => {
    const [none, one, two] = await Promise.all(
      [[], ["-v"], ["-v", "-v"]].map((flags) => virtwire(["inspect", ...flags, CAPTURE])),
    );
    expect(one?.out.length).toBeGreaterThan((none?.out.length ?? 0) * 5);
    expect(two?.out.length).toBeGreaterThan(one?.out.length ?? 0);
    expect((await virtwire(["inspect", "-vv", CAPTURE])).out).toBe(two?.out);
  });

  it("uses colour on a terminal, unless NO_COLOR says otherwise", async () => {
    const coloured = async (env: Record<string, string>, outIsTerminal: boolean): Promise<boolean> =>
      (await virtwire(["inspect", CAPTURE], { env, outIsTerminal })).out.includes("\u001b[");
    expect(await coloured({}, true)).toBe(true);
    expect(await coloured({}, false)).toBe(false);
    expect(await coloured({ NO_COLOR: "1" }, true)).toBe(false);
  });

  it.each([
    [["inspect"], "Missing required positional argument: FILE"],
    [["inspect", "a", "b"], "no such file"],
    [["inspect", "--colour", CAPTURE], "unknown option --colour"],
    [["inspect", "-x", CAPTURE], "unknown option -x"],
    [["inspect", "--format", "xml", CAPTURE], "xml"],
    [["inspect", CAPTURE, "--as"], "--as needs a value"],
    [["inspect", "--device", "toaster", CAPTURE], 'no virtio device is called "toaster"'],
    [["inspect", "-d", "desc", CAPTURE], "-d goes with --compat"],
    [["inspect", "--compat", "analyze-migration", "--format", "json", CAPTURE], "the format of the script"],
    [["inspect", "/nowhere/at/all"], "/nowhere/at/all: no such file or directory"],
    [["inspect", "."], "is a directory"],
    [["translate"], 'unknown command "translate"'],
  ])("answers %j with 2 and one line", async (argv, message) => {
    const { code, out, err } = await virtwire(argv);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });

  it("helps, with examples, everywhere", async () => {
    const overview = await virtwire(["--help"]);
    const verbs = [...overview.out.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, verb]) => verb ?? "");
    expect(verbs.length).toBeGreaterThan(15);
    for (const argv of [["--help"], ["-h"], ...verbs.map((verb) => [verb, "--help"]), ["gen", "-h"]]) {
      const { code, out, err } = await virtwire(argv);
      expect([code, err]).toEqual([0, ""]);
      expect(out).toMatch(/^Examples:\n {2}\S/m);
      expect(out).toMatch(/^Exit codes:\n {2}0 {2}\S/m);
      expect(out).not.toContain("\u001b");
      const [prose = ""] = out.split("Examples:");
      for (const line of prose.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    }
    expect((await virtwire([])).code).toBe(2);
    expect((await virtwire(["--version"])).out).toBe(
      `${JSON.parse(readFileSync("package.json", "utf8")).version}\n`,
    );
  });

  it("helps as wide as the terminal is, and no wider than one likes to read", async () => {
    const widest = async (columns: number): Promise<number> => {
      const { out } = await virtwire(["inspect", "--help"], { outIsTerminal: true, columns: () => columns });
      return Math.max(...(out.split("Examples:")[0] ?? "").split("\n").map(({ length }) => length));
    };
    expect(await widest(200)).toBeLessThanOrEqual(100);
    expect(await widest(200)).toBeGreaterThan(80);
    expect(await widest(60)).toBeLessThanOrEqual(60);
  });

  it("says in its help what is required, what repeats, and which values there are", async () => {
    expect((await virtwire(["receive", "--help"])).out).toContain(
      "Usage: virtwire receive [OPTIONS] --listen SOCKET --output FILE",
    );
    const { out } = await virtwire(["inspect", "--help"]);
    expect(out).toContain("Usage: virtwire inspect [OPTIONS] FILE…");
    expect(out).toMatch(/ {2}--format text\|json\|jsonl +How to show it\. Default: text\./);
    expect(out.replaceAll(/\s+/g, " ")).toContain("One of qemu-stream, qemu-resumed,");
  });

  it("helps with a verb that is asked for behind help", async () => {
    const { code, out } = await virtwire(["help", "get"]);
    expect([code, out]).toEqual([0, (await virtwire(["get", "--help"])).out]);
    expect((await virtwire(["help", "gett"])).err).toContain('unknown command "gett"');
  });

  it("does not complain when nobody reads on", () => {
    const { stdout, stderr } = shell(`virtwire inspect -vv ${JSON.stringify(CAPTURE)} | head -n 1`);
    expect(stderr).toBe("");
    expect(stdout).toContain("QEMU migration stream");
  });

  it("says in one line that its output has no room", () => {
    const { status, stderr } = shell("virtwire features 0x1 > /dev/full");
    expect([status, stderr]).toEqual([2, "standard output: ENOSPC: no space left on device, write\n"]);
  });

  it("keeps its exit code where nobody hears what is wrong", () => {
    const { status } = shell("{ sleep 1; virtwire inspect package.json; } 2> >(true)");
    expect(status).toBe(4);
  });
});

/** Runs the command as a process of its own, in a shell. */
function shell(script: string): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  const name = `virtwire() { node --import tsx ${JSON.stringify(main)} "$@"; }`;
  const command = ["-c", `set -o pipefail; ${name}; ${script}`];
  const { status, stdout, stderr } = spawnSync("bash", command, { encoding: "utf8" });
  return { status, stdout, stderr: stderr.replace(/^npm warn.*\n/gm, "") };
}
