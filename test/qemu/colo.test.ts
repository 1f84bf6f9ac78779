/**
 * COLO between two real QEMUs. QEMU 10.0 can only be the secondary: as a source it is in the state "device" when it looks
 * whether it is in "active", and so never begins with checkpoints.
 */
import { existsSync, readFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder, virtwire } from "../cli/harness.js";
import { inspectBytes } from "../inspect/inspect-bytes.js";
import { describeWith } from "./describe-with.js";
import { Machine } from "./machine.js";
import { newerQemu, olderQemu } from "./programs.js";

/** A machine that can load its state again and again, as q35 cannot. */
const GUEST = [
  ...["-M", "microvm,acpi=off,pit=off,pic=off,rtc=off", "-accel", "tcg", "-m", "4M"],
  ...["-nodefaults", "-display", "none", "-device", "virtio-rng-device"],
];
/** QEMU 7.2 can come to a standstill between two of them: one is what can be waited for. */
const CHECKPOINTS = 1;

/** Passes a connection on, and writes down both directions. */
async function tee(from: string, to: string, out: string): Promise<AsyncDisposable> {
  const server = createServer((primary) => {
    const secondary = connect(to);
    let written = Promise.resolve();
    const record = (file: string, chunk: Uint8Array): void => {
      written = written.then(() => appendFile(file, chunk));
    };
    primary.on("data", (chunk) => record(out, chunk)).on("error", () => secondary.destroy());
    secondary.on("data", (chunk) => record(`${out}.return`, chunk)).on("error", () => primary.destroy());
    primary.pipe(secondary);
    secondary.pipe(primary);
  });
  await new Promise<void>((resolve) => server.listen(from, resolve));
  return {
    [Symbol.asyncDispose]: () => {
      server.close();
      return Promise.resolve();
    },
  };
}

describeWith("COLO", newerQemu("x86_64") && olderQemu("x86_64"), (primaryProgram) => {
  it("is read with its checkpoints, and what the secondary answers fits", async () => {
    const secondaryProgram = newerQemu("x86_64");
    if (secondaryProgram === undefined) throw new Error("no QEMU");
    const folder = temporaryFolder();
    const [near, far, file] = ["near.sock", "far.sock", "colo.mig"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await using secondary = await Machine.start(
      secondaryProgram.path,
      [...secondaryProgram.args, ...GUEST, "-incoming", "defer"],
      folder,
    );
    await secondary.capabilities("x-colo");
    await secondary.qmp("migrate-incoming", { uri: `unix:${far}` });
    await using _tee = await tee(near, far, file);
    {
      await using primary = await Machine.start(
        primaryProgram.path,
        [...primaryProgram.args, ...GUEST],
        folder,
      );
      await primary.capabilities("x-colo");
      await primary.qmp("migrate-set-parameters", { "x-checkpoint-delay": 300 });
      await primary.qmp("migrate", { uri: `unix:${near}` });
      await primary.event("MIGRATION", ({ status }) => status === "colo");
      const size = 4 + CHECKPOINTS * 12;
      const answers = `${file}.return`;
      await primary.until(() => Promise.resolve(existsSync(answers) && readFileSync(answers).length >= size));
    }
    // The primary was killed: a checkpoint that it had begun is not whole, and all before it are.
    const main = new Uint8Array(readFileSync(file));
    const inspected = inspectBytes(main);
    const whole = inspected.summary.facts.find(({ key }) => key === "whole_checkpoints")?.value;
    expect(Number(whole)).toBeGreaterThanOrEqual(CHECKPOINTS);
    expect(inspected.summary.faults.filter(({ code }) => code !== "truncated")).toEqual([]);
    const both = await virtwire(["inspect", "--format", "jsonl", file, `${file}.return`]);
    expect([both.code === 0 || both.code === 4, both.out.includes("qemu-migration")]).toEqual([true, true]);
    const rng = await virtwire(["get", file, "checkpoints[0].sections[*virtio-rng].virtio.nvqs", "--raw"]);
    expect(rng.out).toBe("1\n");
  });
});
