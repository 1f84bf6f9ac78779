/** The guest itself, on QEMU's own devices: what its probes say of ours is worth as much as what they say of these. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../cli/harness.js";
import { describeLive } from "../describe-with.js";
import { LinuxGuest } from "./linux-guest.js";
import { FIRST, pattern } from "./pattern.js";

const MIB = 1 << 20;

describeLive("a Linux guest", (program, image) => {
  it("drives QEMU's own network and disk, and sees when the disk is wrong", async () => {
    const folder = temporaryFolder();
    const disk = join(folder, "disk.img");
    writeFileSync(disk, new Uint8Array(8 * MIB));
    const devices = [
      ...["-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0"],
      ...["-drive", `if=none,id=d0,format=raw,file=${disk}`, "-device", "virtio-blk-pci,drive=d0"],
    ];
    await using guest = await LinuxGuest.start({
      name: "vm",
      folder,
      program,
      image,
      memory: 128,
      cpus: 2,
      devices,
    });
    await guest.run("ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up");
    expect(await guest.run("ping -c 5 -i 0.1 10.0.2.2")).toContain("5 packets received");
    await guest.run("rebind virtio_net && ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up");
    expect(await guest.run("ping -c 5 -i 0.1 10.0.2.2")).toContain("5 packets received");

    await guest.run(`pattern write ${FIRST} 2`);
    await guest.run("rebind virtio_blk");
    await guest.run(`pattern verify ${FIRST} 2`);
    expect(
      readFileSync(disk)
        .subarray(0, 2 * MIB)
        .equals(pattern(FIRST, 2)),
    ).toBe(true);
    await guest.run("echo x | dd of=/dev/vda bs=1 seek=70000 count=1 conv=notrunc,fsync status=none");
    await expect(guest.run(`pattern verify ${FIRST} 2`)).rejects.toThrow("differ");
    expect(guest.kernelLog).toBe("");
  });
});
