/** The file system device, mounted by Linux' own virtiofs driver: QEMU only carries the messages between them. */
import { expect, it } from "vitest";
import { FsDevice, FsTree } from "../../../src/device/index.js";
import { VhostUserServer } from "../../../src/vhost-user/index.js";
import { describeLive } from "../describe-with.js";
import { Stage } from "./stage.js";

const text = (value: string) => new TextEncoder().encode(value);

describeLive("a Linux guest on a file system device", (program, image) => {
  it("mounts it, reads, writes, lists, renames and removes", async () => {
    await using stage = new Stage(program, image);
    const tree = new FsTree();
    tree.put("hello.txt", text("hello, guest\n"));
    tree.put("docs/long", new Uint8Array(300_000).fill(0x61));
    const faults: string[] = [];
    const server = await VhostUserServer.start(new FsDevice({ tree, tag: "shared" }), stage.path("fs"), {
      onEvent: (event) => {
        if (event.kind === "disconnected" && event.error !== undefined) faults.push(event.error.message);
      },
    });
    try {
      const devices = [
        ...["-chardev", `socket,id=fs,path=${stage.path("fs")}`],
        ...["-device", "vhost-user-fs-pci,chardev=fs,tag=shared"],
      ];
      const guest = await stage.guest({ name: "vm", memory: 128, cpus: 1, devices });
      await guest.run("mkdir /mnt && mount -t virtiofs shared /mnt");
      expect(await guest.run("cat /mnt/hello.txt")).toBe("hello, guest");
      expect(await guest.run("ls /mnt /mnt/docs")).toBe("/mnt:\ndocs\nhello.txt\n\n/mnt/docs:\nlong");
      expect(await guest.run("tr -d a </mnt/docs/long | wc -c; wc -c </mnt/docs/long")).toBe("0\n300000");

      await guest.run("mkdir /mnt/new && for i in $(seq 200); do echo $i >/mnt/new/file-$i; done");
      expect(await guest.run("cat /mnt/new/file-* | sort -n | tail -n 1; ls /mnt/new | wc -l")).toBe(
        "200\n200",
      );
      await guest.run("dd if=/dev/zero of=/mnt/new/large bs=64k count=40 status=none && sync");
      expect(tree.find("new/large")).toMatchObject({ kind: "file", size: 40 * 65536 });
      await guest.run(
        "echo more >>/mnt/hello.txt && mv /mnt/hello.txt /mnt/docs/moved && chmod 600 /mnt/docs/moved",
      );
      expect(tree.find("docs/moved")).toMatchObject({ kind: "file", size: 18, mode: 0o100600 });
      await guest.run("rm -r /mnt/new && ! cat /mnt/hello.txt 2>/dev/null && ! mkdir /mnt/docs 2>/dev/null");
      expect([tree.find("new"), tree.find("hello.txt")]).toEqual([undefined, undefined]);
      expect(
        await guest.run("stat -c '%s %a %F' /mnt/docs/moved; df -k /mnt | tail -n 1 | awk '{print $2}'"),
      ).toBe("18 600 regular file\n16384");

      // What the host changes is there at once: the device lets the driver keep nothing.
      tree.put("docs/moved", text("changed by the host\n"));
      expect(await guest.run("cat /mnt/docs/moved")).toBe("changed by the host");
      await guest.run("umount /mnt && mount -t virtiofs shared /mnt && cat /mnt/docs/moved");
      expect(guest.kernelLog).toBe("");
      expect(faults).toEqual([]);
    } finally {
      await server.close();
    }
  });
});
