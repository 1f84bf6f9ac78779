/** What QEMU writes to files of its own: mapped-ram, with several writers at once too. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder, virtwire } from "../cli/harness.js";
import { describeWith } from "./describe-with.js";
import { Q35, startGuest } from "./guests.js";
import { expectMemory, saveMemory } from "./memory.js";
import { newerQemu } from "./programs.js";

describeWith("a mapped-ram file", newerQemu("x86_64"), (program) => {
  for (const capabilities of [["mapped-ram"], ["mapped-ram", "multifd"]]) {
    it(`of ${capabilities.join(" and ")} is read clean, and holds the memory of the guest`, async () => {
      const folder = temporaryFolder();
      const file = join(folder, "vm.mig");
      const memory = join(folder, "memory.bin");
      await using qemu = await startGuest(Q35, program, Q35.machine.newer, folder);
      await qemu.capabilities(...capabilities);
      await qemu.qmp("migrate", { uri: `file:${file}` });
      expect(await qemu.migrated()).toMatchObject({ status: "completed" });
      await saveMemory(qemu, Q35, memory);
      const { code, err } = await virtwire(["inspect", file]);
      expect([code, err]).toEqual([0, ""]);
      await expectMemory([file], Q35, memory);
    });
  }
});
