/** The file system device, mounted by Linux' own virtiofs driver: QEMU only carries the messages between them. */
import { expect, it } from "vitest";
import { FsDevice, FsTree } from "../../../src/device/index.js";
import { VhostUserServer } from "../../../src/vhost-user/index.js";
import { describeLive } from "../describe-with.js";
import { migrate } from "./migrate.js";
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

      await guest.run("ln -s docs/moved /mnt/way && ln -s /nowhere /mnt/docs/lost");
      expect(await guest.run("cat /mnt/way | wc -c; readlink /mnt/docs/lost; stat -c %F /mnt/way")).toBe(
        "18\n/nowhere\nsymbolic link",
      );
      expect(
        await guest.run("ls -F /mnt; ! cat /mnt/docs/lost 2>/dev/null; rm /mnt/docs/lost; ls /mnt/docs"),
      ).toBe("docs/\nway@\nlong\nmoved");
      await guest.run(
        "mv /mnt/way /mnt/docs/way && ln -sf moved /mnt/docs/way && cat /mnt/docs/way && rm /mnt/docs/way",
      );

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

  it("keeps its open files and its directories when the guest moves to another QEMU", async () => {
    await using stage = new Stage(program, image);
    // The shared directory is one, as it is for virtiofsd; each back-end has a session of its own.
    const tree = new FsTree();
    tree.put("docs/long", text("0123456789".repeat(1000)));
    const machine = async (name: string, incoming?: "running") => {
      const socket = stage.path(`${name}.fs`);
      const server = await VhostUserServer.start(new FsDevice({ tree, tag: "shared" }), socket);
      const devices = [
        ...["-chardev", `socket,id=fs,path=${socket}`],
        ...["-device", "vhost-user-fs-pci,chardev=fs,tag=shared,id=fs0"],
      ];
      const more = incoming === undefined ? {} : { incoming };
      return { server, guest: await stage.guest({ name, memory: 128, cpus: 1, devices, ...more }) };
    };
    const from = await machine("a");
    const to = await machine("b", "running");
    try {
      await from.guest.run("mkdir /mnt && mount -t virtiofs shared /mnt && mkfifo /run/go");
      // A process that has files open, and a directory that is its own, when the guest moves.
      const reader = "dd bs=1 count=5 <&5 2>/dev/null";
      const work = `${reader}; echo before >&6; read x </run/go; ${reader}; echo after >&6; pwd; echo done`;
      await from.guest.run(`(cd /mnt/docs && exec 5<long 6>>written && { ${work}; }) >/run/said 2>&1 &`);
      await from.guest.run("until grep -q before /mnt/docs/written; do sleep 0.1; done");
      const { info } = await migrate(from.guest, to.guest, stage.folder);
      expect(info.status).toBe("completed");
      await to.guest.run("echo go >/run/go; until grep -q done /run/said; do sleep 0.1; done");
      expect(await to.guest.run("cat /run/said")).toBe("0123456789/mnt/docs\ndone");
      expect(await to.guest.run("cat /mnt/docs/written; ls /mnt/docs")).toBe("before\nafter\nlong\nwritten");
      expect(to.guest.kernelLog).toBe("");
    } finally {
      await from.server.close();
      await to.server.close();
    }
  });
});
