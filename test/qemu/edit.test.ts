/** Streams that were written anew load into a real QEMU, whose guest runs on. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder, virtwire } from "../cli/harness.js";
import { describeWith } from "./describe-with.js";
import { argumentsOf, type Guest, Q35, startGuest } from "./guests.js";
import { Machine } from "./machine.js";
import { newerQemu, type Program } from "./programs.js";

const MACHINE = Q35.machine.newer;
const WITH_RNG: Guest = { ...Q35, devices: [...Q35.devices, "-device", "virtio-rng-pci"] };

async function saved(guest: Guest, program: Program, folder: string): Promise<string> {
  const file = join(folder, "vm.mig");
  await using qemu = await startGuest(guest, program, MACHINE, folder);
  await qemu.capabilities();
  await qemu.qmp("migrate", { uri: `exec:cat > ${file}` });
  expect(await qemu.migrated()).toMatchObject({ status: "completed" });
  return file;
}

/** Loads a stream, and lets `look` see the guest that runs on. */
async function loaded(
  file: string,
  program: Program,
  folder: string,
  look: (qemu: Machine) => Promise<void> = async () => {},
): Promise<void> {
  const args = [...program.args, ...argumentsOf(Q35, MACHINE, folder), "-incoming", "defer"];
  await using qemu = await Machine.start(program.path, args, folder);
  await qemu.capabilities();
  await qemu.qmp("migrate-incoming", { uri: `exec:cat ${file}` });
  expect(await qemu.migrated()).toMatchObject({ status: "completed" });
  await qemu.until(async () => (await qemu.status()) === "running");
  await look(qemu);
  expect(qemu.stderr).toBe("");
}

describeWith("an edited stream", newerQemu("x86_64"), (program) => {
  it("gives the guest another MAC address", async () => {
    const folder = temporaryFolder();
    const file = await saved(Q35, program, folder);
    const edited = join(folder, "edited.mig");
    const net = 'sections["0000:00:01.0/virtio-net"].virtio';
    const { code, err } = await virtwire([
      ...["edit", file, "-o", edited],
      ...["--set", `${net}.device.mac=525400abcdef`, "--set", `${net}.config.net.mac=525400abcdef`],
    ]);
    expect([code, err]).toEqual([0, ""]);
    await loaded(edited, program, folder, async (qemu) => {
      const [filter] = (await qemu.qmp("query-rx-filter")) as readonly { readonly "main-mac": string }[];
      expect(filter?.["main-mac"]).toBe("52:54:00:ab:cd:ef");
    });
  });

  it("leaves out a device that the destination does not have", async () => {
    const folder = temporaryFolder();
    const file = await saved(WITH_RNG, program, folder);
    const edited = join(folder, "edited.mig");
    const { code, err } = await virtwire(["edit", file, "--drop", "0000:00:03.0/virtio-rng", "-o", edited]);
    expect([code, err]).toEqual([0, ""]);
    await loaded(edited, program, folder);
  });

  it("is the same when nothing was changed, and loads", async () => {
    const folder = temporaryFolder();
    const file = await saved(Q35, program, folder);
    const edited = join(folder, "edited.mig");
    const { code, err } = await virtwire([
      "edit",
      file,
      "--set",
      `configuration.machine=${MACHINE}`,
      "-o",
      edited,
    ]);
    expect([code, err]).toEqual([0, ""]);
    expect(readFileSync(edited).equals(readFileSync(file))).toBe(true);
    await loaded(edited, program, folder);
  });
});
