/** What QEMU writes to files of its own: mapped-ram, with several writers at once too. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder, virtwire } from "../cli/harness.js";
import { describeWith } from "./describe-with.js";
import { Q35, startGuest } from "./guests.js";
import { expectMemory, saveMemory } from "./memory.js";
import { newerQemu } from "./programs.js";

const PAGE = 4096;

type Hidden = NonNullable<(typeof Q35)["memory"]["hidden"]>;
const HIDDEN: Hidden = Q35.memory.hidden ?? { from: 0, to: 0 };

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

/** Pages that differ between two files of QEMU's pmemsave. */
function changedPages(first: string, second: string, hidden: Hidden): number[] {
  const [one, other] = [readFileSync(first), readFileSync(second)];
  const pages: number[] = [];
  for (let at = 0; at < one.length; at += PAGE) {
    if (at >= hidden.from && at < hidden.to) continue;
    if (!one.subarray(at, at + PAGE).equals(other.subarray(at, at + PAGE))) pages.push(at / PAGE);
  }
  return pages;
}

describeWith("the memory of a guest in streams of two kinds", newerQemu("x86_64"), (program) => {
  it("differs in the pages that pmemsave finds to differ", async () => {
    const folder = temporaryFolder();
    const at = (name: string): string => join(folder, name);
    await using qemu = await startGuest(Q35, program, Q35.machine.newer, folder);
    const migrate = async (uri: string): Promise<void> => {
      await qemu.qmp("migrate", { uri });
      await qemu.until(async () => (await qemu.migration()).status === "completed");
    };
    await migrate(`exec:cat > ${at("precopy.mig")}`);
    await saveMemory(qemu, Q35, at("before"));
    await qemu.qmp("cont");
    await qemu.until(async () => {
      await saveMemory(qemu, Q35, at("running"));
      return changedPages(at("before"), at("running"), HIDDEN).length > 0;
    });
    await qemu.qmp("stop");
    await saveMemory(qemu, Q35, at("after"));
    await qemu.capabilities("mapped-ram");
    await migrate(`file:${at("later.mig")}`);
    const argv = ["diff", "--memory", "--format", "jsonl", at("precopy.mig"), at("later.mig")];
    const { code, out } = await virtwire(argv);
    expect(code).toBe(1);
    const ranges = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { change: string; path: string; offset: number; pages: number })
      .filter(({ change, path }) => change === "changed" && path.includes(`"${Q35.memory.block}"`));
    const pages = ranges.flatMap(({ offset, pages: count }) =>
      Array.from({ length: count }, (_, i) => offset / PAGE + i),
    );
    expect(pages.filter((page) => page * PAGE < HIDDEN.from || page * PAGE >= HIDDEN.to)).toEqual(
      changedPages(at("before"), at("after"), HIDDEN),
    );
  });
});
