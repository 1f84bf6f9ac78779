/** Streams of every kind of machine, written by QEMU a moment ago, are read to the last byte and bit. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { QemuVmSection } from "../../generated/qemu/stream.js";
import { virtwire } from "../cli/harness.js";
import { expectEveryByteNamed } from "../streams/qemu/virtio/every-byte.js";
import { describeWith } from "./describe-with.js";
import { GUESTS, type Guest, startGuest } from "./guests.js";
import { expectMemory, saveMemory } from "./memory.js";
import { newerQemu, olderQemu, type Program } from "./programs.js";

/** QEMU's own reader of streams, from its source package (see .ci/fetch-qemu-source). */
const script = process.env["ANALYZE_MIGRATION"];
const MAX_OUTPUT = 1 << 28;

function proveStream(guest: Guest, program: Program, machine: string): void {
  const folder = mkdtempSync(join(tmpdir(), "virtwire-"));
  const file = join(folder, "vm.mig");
  const memory = join(folder, "memory.bin");

  beforeAll(async () => {
    await using qemu = await startGuest(guest, program, machine, folder);
    await qemu.capabilities();
    await qemu.qmp("migrate", { uri: `exec:cat > ${file}` });
    expect(await qemu.migrated()).toMatchObject({ status: "completed" });
    await saveMemory(qemu, guest, memory);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is read clean", async () => {
    const { code, out, err } = await virtwire(["inspect", file]);
    expect(err).toBe("");
    expect(out).toMatch(
      /^verdict +clean: every byte is accounted for, and every device agrees with the description$/m,
    );
    expect(code).toBe(0);
  });

  it("holds the memory of the guest", () => expectMemory([file], guest, memory));

  it("has no byte of a virtio device without a name", () => {
    const given = guest.devices.filter((argument) => /^virtio-(?!scsi)/.test(argument));
    expect(expectEveryByteNamed(file).length).toBeGreaterThanOrEqual(given.length);
  });

  it.skipIf(script === undefined).for(["state", "desc"])(
    "is printed as analyze-migration.py prints it: %s",
    async (part, { skip }) => {
      skip(
        !scriptFindsDescription(file),
        "the script takes a byte of the description's length for its beginning",
      );
      const theirs = execFileSync("python3", [script ?? "", "-d", part, "-f", file], {
        encoding: "utf8",
        maxBuffer: MAX_OUTPUT,
      });
      const ours = await virtwire(["inspect", "--compat", "analyze-migration", "-d", part, file]);
      expect([ours.code, ours.err]).toEqual([0, ""]);
      // Not toBe: a diff of megabytes helps nobody.
      expect(ours.out === theirs).toBe(true);
    },
  );
}

/**
 * The script takes the first brace behind the last zero byte for the beginning of the description, and gives up when no
 * description begins there: so it does not read a stream whose description's length has a brace (0x7b) among its bytes.
 */
function scriptFindsDescription(file: string): boolean {
  const data = readFileSync(file);
  const brace = data.indexOf("{", data.lastIndexOf(0));
  return data[brace - 5] === QemuVmSection.QEMU_VM_VMDESCRIPTION;
}

for (const guest of GUESTS) {
  const { newer, older } = guest.machine;
  describeWith(`a stream of ${guest.name}`, newerQemu(guest.target), (program) => {
    proveStream(guest, program, newer);
  });
  if (older === undefined) continue;
  describeWith(`a stream of ${guest.name}, by an older QEMU`, olderQemu(guest.target), (program) => {
    proveStream(guest, program, older);
  });
}
