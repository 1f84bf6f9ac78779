import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bytes } from "../streams/wire-bytes.js";
import { temporaryFolder, virtwire } from "./harness.js";

const CAPTURE = "test/captures/x86-q35-net-blk.bin";
const LINE = "qemu-system-x86_64: Unknown savevm section or instance 'i8259' 1. Make sure that";

describe("virtwire explain", () => {
  it("explains a line, with its place in the file", async () => {
    const { code, out, err } = await virtwire(["explain", LINE, CAPTURE]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(`${CAPTURE}:0xe8f81: sections["i8259"#1]`);
    expect(out).toContain("QEMU, migration/savevm.c, qemu_loadvm_section_start_full");
  });

  it("reads a whole log, from a file and from standard input, and says which lines it does not know", async () => {
    const log = `2025-01-01T00:00:00.000000Z ${LINE}\nwhatever \u001b[31mthis\nqemu: load of migration failed: Invalid argument\n`;
    const path = join(temporaryFolder(), "destination.log");
    writeFileSync(path, log);
    const fromFile = await virtwire(["explain", path]);
    const fromPipe = await virtwire(["explain", "-"], {
      input: [bytes(log.slice(0, 30)), bytes(log.slice(30))],
    });
    expect(fromFile).toEqual(fromPipe);
    expect(fromFile.code).toBe(0);
    expect(fromFile.out).toContain("The destination gives up.");
    expect(fromFile.err).toBe("line 2: no message that is known: whatever \\x1b[31mthis\n");
  });

  it("gives 1 when it knows nothing of what it was shown", async () => {
    const { code, out, err } = await virtwire(["explain", "it does not work", CAPTURE]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toBe("line 1: no message that is known: it does not work\n");
  });

  it("says so when there is nothing in the log", async () => {
    const { code, err } = await virtwire(["explain", "\n"]);
    expect([code, err]).toEqual([1, "nothing to explain: the log is empty\n"]);
  });

  it("sees that the stream was given in place of the log, or a log that is not there", async () => {
    const stream = await virtwire(["explain", CAPTURE, LINE]);
    expect([stream.code, stream.err]).toEqual([2, expect.stringContaining("is no log, but binary")]);
    const missing = await virtwire(["explain", "logs/destination.log"]);
    expect([missing.code, missing.err]).toEqual([
      2,
      expect.stringContaining("destination.log: no such file"),
    ]);
  });

  it("writes JSON", async () => {
    const { out } = await virtwire(["explain", "--format", "json", `${LINE}\nsomething else`, CAPTURE]);
    const { explanations, unknown } = JSON.parse(out) as {
      explanations: { id: string }[];
      unknown: unknown[];
    };
    expect(explanations.map(({ id }) => id)).toEqual(["section-unknown"]);
    expect(unknown).toEqual([{ line: 2, text: "something else" }]);
  });

  it("takes the type of the device, and refuses one that is none", async () => {
    const line = "Features 0x130000002 unsupported. Allowed features: 0x179000000";
    expect((await virtwire(["explain", line, "--device", "vsock"])).out).toContain(
      "VIRTIO_VSOCK_F_SEQPACKET",
    );
    expect((await virtwire(["explain", line, "--device", "teapot"])).code).toBe(2);
  });

  it("refuses a file that is not there, and to read standard input twice", async () => {
    expect((await virtwire(["explain", LINE, "no-such-file.bin"])).code).toBe(2);
    expect((await virtwire(["explain", "-", "-"])).code).toBe(2);
  });
});
