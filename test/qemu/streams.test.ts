/** Streams of every kind of machine, written by QEMU a moment ago, are read to the last byte. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder, virtwire } from "../cli/harness.js";
import { GUESTS, type Guest, startGuest } from "./guests.js";
import { describeWith, newerQemu, olderQemu, type Program } from "./programs.js";

async function readsClean(guest: Guest, program: Program, machine: string): Promise<void> {
  const folder = temporaryFolder();
  const file = join(folder, "vm.mig");
  await using qemu = await startGuest(guest, program, machine, folder);
  await qemu.capabilities();
  await qemu.qmp("migrate", { uri: `exec:cat > ${file}` });
  expect(await qemu.migrated()).toMatchObject({ status: "completed" });
  const { code, out, err } = await virtwire(["inspect", file]);
  expect(err).toBe("");
  expect(out).toMatch(
    /^verdict +clean: every byte is accounted for, and every device agrees with the description$/m,
  );
  expect(code).toBe(0);
}

for (const guest of GUESTS) {
  const { newer, older } = guest.machine;
  describeWith(`a stream of ${guest.name}`, newerQemu(guest.target), (program) => {
    it("is read clean", () => readsClean(guest, program, newer));
  });
  if (older === undefined) continue;
  describeWith(`a stream of ${guest.name}, by an older QEMU`, olderQemu(guest.target), (program) => {
    it("is read clean", () => readsClean(guest, program, older));
  });
}
