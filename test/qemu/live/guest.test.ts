/** The guest itself, on QEMU's own devices: what its probes say of ours is worth as much as what they say of these. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { describeLive } from "../describe-with.js";
import { FIRST, pattern } from "./pattern.js";
import { Stage } from "./stage.js";

describeLive("a Linux guest", (program, image) => {
  it("drives QEMU's own network and disk, and sees when the disk is wrong", async () => {
    await using stage = new Stage(program, image);
    const disk = stage.blankDisk("disk.img", 8);
    const devices = [
      ...["-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0"],
      ...["-drive", `if=none,id=d0,format=raw,file=${disk}`, "-device", "virtio-blk-pci,drive=d0"],
    ];
    const guest = await stage.guest({ name: "vm", memory: 128, cpus: 2, devices });
    await guest.run("ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up");
    expect(await guest.run("ping -c 5 -i 0.1 10.0.2.2")).toContain("5 packets received");
    await guest.run("rebind net eth0 && ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up");
    expect(await guest.run("ping -c 5 -i 0.1 10.0.2.2")).toContain("5 packets received");

    await guest.run(`pattern write vda ${FIRST} 2`);
    await guest.run("rebind block vda");
    await guest.run(`pattern verify vda ${FIRST} 2`);
    const expected = pattern(FIRST, 2);
    expect(readFileSync(disk).subarray(0, expected.length).equals(expected)).toBe(true);
    await guest.run("echo x | dd of=/dev/vda bs=1 seek=70000 count=1 conv=notrunc,fsync status=none");
    await expect(guest.run(`pattern verify vda ${FIRST} 2`)).rejects.toThrow("differ");
    expect(guest.kernelLog).toBe("");
  });
});
