/**
 * A Linux guest is saved while it uses its devices; their states go through other formats and back, into a stream whose
 * devices nobody has set up; a real QEMU loads that, and the guest goes on where it was.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { virtwire } from "../../cli/harness.js";
import { describeLive } from "../describe-with.js";
import { FIRST } from "./pattern.js";
import { Stage } from "./stage.js";

const NET = "0000:00:01.0/virtio-net";
const BLK = "0000:00:02.0/virtio-blk";

/** Registers and indices as after a reset: all that follows has come through the other format. */
function blanked(section: string, queues: number): string[] {
  const device = `sections["${section}"].virtio`;
  const registers = ["status", "guest_features_lo"];
  const indices = Array.from({ length: queues }, (_, i) => `queues[${i}].last_avail_idx`);
  return [...registers, ...indices].flatMap((field) => ["--set", `${device}.${field}=0`]);
}

async function succeeds(argv: readonly string[]): Promise<string> {
  const { code, out, err } = await virtwire(argv);
  expect([code, err]).toEqual([0, ""]);
  return out;
}

describeLive("a converted device", (program, image) => {
  it.each(["device-context", "device-parts", "vfio-virtio"])(
    "goes on in QEMU when it comes from %s",
    async (format) => {
      await using stage = new Stage(program, image);
      const disk = stage.blankDisk("disk.img", 8);
      const devices = [
        ...["-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0"],
        ...[
          "-drive",
          `if=none,id=d0,format=raw,file=${disk}`,
          "-device",
          "virtio-blk-pci,drive=d0,num-queues=1",
        ],
      ];
      const machine = { memory: 128, cpus: 1, devices };
      const [saved, blank, half, back] = ["saved", "blank", "half", "back"].map((name) =>
        stage.path(`${name}.mig`),
      );
      if (saved === undefined || blank === undefined || half === undefined || back === undefined) return;
      const source = await stage.guest({ name: "source", ...machine });
      await source.run("ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up");
      expect(await source.run("ping -c 3 -i 0.1 10.0.2.2")).toContain("3 packets received");
      await source.run(`pattern write vda ${FIRST} 2`);
      await source.qemu.capabilities();
      await source.qemu.qmp("migrate", { uri: `exec:cat > ${saved}` });
      expect(await source.qemu.migrated()).toMatchObject({ status: "completed" });
      await source.qemu[Symbol.asyncDispose]();

      const [net, blk] = [stage.path("net"), stage.path("blk")];
      await succeeds(["convert", saved, "--device", NET, "--to", format, "-o", net]);
      await succeeds(["convert", saved, "--device", BLK, "--to", format, "--strict", "-o", blk]);
      await virtwire(["edit", saved, ...blanked(NET, 3), ...blanked(BLK, 1), "-o", blank]);
      expect(readFileSync(blank).equals(readFileSync(saved))).toBe(false);
      const into = (from: string, device: string, stream: string, out: string) =>
        succeeds(["convert", from, "--device", device, "--to", "qemu", "--into", stream, "-o", out]);
      await into(net, NET, blank, half);
      await into(blk, BLK, half, back);
      expect(readFileSync(back).equals(readFileSync(saved))).toBe(true);

      const guest = await stage.guest({ name: "destination", ...machine, incoming: "running" });
      await guest.qemu.capabilities();
      await guest.qemu.qmp("migrate-incoming", { uri: `exec:cat ${back}` });
      expect(await guest.qemu.migrated()).toMatchObject({ status: "completed" });
      await guest.qemu.until(async () => (await guest.qemu.status()) === "running");
      await guest.run(`pattern verify vda ${FIRST} 2`);
      await guest.run(`pattern write vda ${FIRST} 1`);
      await guest.run(`pattern verify vda ${FIRST} 1`);
      expect(await guest.run("ping -c 3 -i 0.1 10.0.2.2")).toContain("3 packets received");
      expect(guest.qemu.stderr).toBe("");
    },
  );
});
