import { describe, expect, it } from "vitest";
import { FsTree } from "../../../src/device/devices/fs/tree.js";
import { FsDevice, type FsOptions } from "../../../src/device/devices/fs.js";
import { writeState } from "../../../src/device/formats/state-writer.js";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { FsDriver, type FsDriverOptions, FuseError } from "../../../src/device/guest/fs-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";

const PACKED = 1n << 34n;
const EVENT_IDX = 1n << 29n;
const IN_ORDER = 1n << 35n;
const ROOT = 1n;
const LOOKUP = 1;
const READLINK = 5;
const SYMLINK = 6;
const READ = 15;
const O_RDWR = 2;
const ENOENT = 2;
const EINTR = 4;
const EEXIST = 17;
const EIO = 5;
const EINVAL = 22;
const ENOSYS = 38;
const ESTALE = 116;

const GUEST_SIZE = 1 << 20;
const text = (value: string) => new TextEncoder().encode(value);

function tree(): FsTree {
  const files = new FsTree({ clock: () => 1_700_000_000 });
  files.put("hello.txt", text("hello, guest"));
  files.put("docs/readme", text("read me"));
  return files;
}

function machine(device: Partial<FsOptions> = {}, guest: FsDriverOptions = {}, options = {}) {
  const files = device.tree ?? tree();
  const memory = GuestMemory.of(GUEST_SIZE);
  const type = new FsDevice({ queueSize: 16, tag: "shared", ...device, tree: files });
  const member = new VirtioDevice(
    type,
    memory,
    { queue: () => {}, config: () => {} },
    { packed: true, ...options },
  );
  const bus = { common: new CommonConfig(member), notify: (queue: number) => member.notify(queue) };
  const driver = new FsDriver(bus, memory, new Allocator(0x1000, GUEST_SIZE), { without: PACKED, ...guest });
  return { files, memory, type, member, driver };
}

function errnoOf(act: () => unknown): number | undefined {
  try {
    act();
  } catch (error) {
    return error instanceof FuseError ? error.errno : undefined;
  }
  return 0;
}

describe.each([
  ["split rings", PACKED | EVENT_IDX, true],
  ["split rings with event indices", PACKED, true],
  ["packed rings", EVENT_IDX, true],
  ["packed rings with event indices", 0n, true],
  ["split rings, by a big-endian guest", PACKED, false],
])("a file system device on %s", (_, without, littleEndian) => {
  const scene = (device: Partial<FsOptions> = {}) => {
    const one = machine(device, { without, littleEndian });
    one.driver.init();
    return one;
  };

  it("writes nothing where a driver has nothing to write", () => {
    const { driver } = scene();
    const { nodeid } = driver.lookup(ROOT, "hello.txt");
    const fh = driver.open(nodeid, O_RDWR);
    expect(driver.writeFile(nodeid, fh, 1 << 30, new Uint8Array(0))).toBe(0);
    expect(driver.attributes(nodeid).size).toBe(12n);
  });

  it("makes symbolic links, and says where they lead", () => {
    const { driver, files } = scene();
    // FUSE_SYMLINK: the name and what it leads to, each with its NUL.
    driver.call(SYMLINK, ROOT, text("way\0docs/readme\0"));
    const { nodeid, attr } = driver.lookup(ROOT, "way");
    expect([attr.mode, attr.size, attr.nlink]).toEqual([0o120777, 11n, 1]);
    expect(driver.call(READLINK, nodeid, new Uint8Array(0))).toEqual(text("docs/readme"));
    expect(files.find("way")).toMatchObject({ kind: "link" });
    const { nodeid: file } = driver.lookup(ROOT, "hello.txt");
    for (const [opcode, node, body] of [
      [READLINK, file, ""],
      [SYMLINK, ROOT, "way\0elsewhere\0"],
      [SYMLINK, ROOT, "other\0without an end"],
      [SYMLINK, ROOT, "other\0\0"],
      [SYMLINK, ROOT, "other"],
    ] as const) {
      expect([EINVAL, EEXIST, ENOENT]).toContain(errnoOf(() => driver.call(opcode, node, text(body))));
    }
    driver.removeFile(ROOT, "way");
    expect(errnoOf(() => driver.lookup(ROOT, "way"))).toBe(ENOENT);
  });

  it("looks up, reads and lists what is in its tree", () => {
    const { driver } = scene();
    const { nodeid, attr } = driver.lookup(ROOT, "hello.txt");
    expect([attr.mode, attr.size, attr.mtime, attr.nlink]).toEqual([0o100644, 12n, 1_700_000_000n, 1]);
    const fh = driver.open(nodeid);
    expect(driver.readFile(nodeid, fh, 7, 100)).toEqual(text("guest"));
    expect(driver.readFile(nodeid, fh, 12, 100)).toEqual(new Uint8Array(0));
    driver.release(nodeid, fh);
    const directory = driver.openDirectory(ROOT);
    const names: string[] = [];
    // Room for one entry at a time: 24 bytes and a name, rounded up to 8.
    for (let page = driver.readDirectory(ROOT, directory, 0n, 40); page.length > 0; ) {
      names.push(...page.map(({ name }) => name));
      page = driver.readDirectory(ROOT, directory, page.at(-1)?.off ?? 0n, 40);
    }
    expect(names).toEqual([".", "..", "hello.txt", "docs"]);
    expect(driver.attributes(driver.lookup(ROOT, "docs").nodeid).mode).toBe(0o040755);
  });

  it("makes, writes, renames and removes files and directories", () => {
    const { driver, files } = scene();
    const { nodeid: dir } = driver.makeDirectory(ROOT, "new");
    const { entry, fh } = driver.create(dir, "a", O_RDWR);
    expect(driver.writeFile(entry.nodeid, fh, 3, text("late"))).toBe(4);
    expect(driver.readFile(entry.nodeid, fh, 0, 100)).toEqual(Uint8Array.from([0, 0, 0, ...text("late")]));
    driver.rename(dir, "a", ROOT, "b");
    expect(files.find("b")).toMatchObject({ kind: "file", size: 7 });
    expect(errnoOf(() => driver.lookup(dir, "a"))).toBe(ENOENT);
    driver.removeDirectory(ROOT, "new");
    driver.removeFile(ROOT, "b");
    // It is open: its contents are there until it is released.
    expect(driver.readFile(entry.nodeid, fh, 3, 4)).toEqual(text("late"));
    expect(driver.attributes(entry.nodeid).nlink).toBe(0);
    const { count, used } = files;
    driver.release(entry.nodeid, fh);
    driver.forget(entry.nodeid, 1n);
    driver.forgetMany([{ nodeid: dir, nlookup: 1n }]);
    expect([count - files.count, used - files.used]).toEqual([2, 7]);
    expect(errnoOf(() => driver.attributes(entry.nodeid))).toBe(ESTALE);
    expect(driver.statistics()).toMatchObject({ bsize: 4096, files: 65536n, ffree: 65536n - 4n });
  });

  it("refuses what there is not, and goes on", () => {
    const { driver } = scene();
    expect(errnoOf(() => driver.lookup(ROOT, "nothing"))).toBe(ENOENT);
    expect(errnoOf(() => driver.lookup(99n, "hello.txt"))).toBe(ESTALE);
    expect(errnoOf(() => driver.lookup(ROOT, ".."))).toBe(EINVAL);
    expect(errnoOf(() => driver.call(9999, ROOT, new Uint8Array(0)))).toBe(ENOSYS);
    expect(errnoOf(() => driver.readFile(ROOT, 5n, 0, 1))).toBe(9);
    expect(driver.lookup(ROOT, "hello.txt").attr.size).toBe(12n);
    expect(driver.outstanding).toBe(0);
  });
});

describe("a file system device", () => {
  it("says its tag and its queues in its configuration", () => {
    const { member } = machine({ requestQueues: 3 });
    const config = member.type.config();
    expect([config.length, config.subarray(0, 8)]).toEqual([40, Uint8Array.from([...text("shared"), 0, 0])]);
    expect([...config.subarray(36)]).toEqual([3, 0, 0, 0]);
    expect(member.queues.length).toBe(4);
    const notifying = machine({ notifications: true });
    expect(notifying.member.type.config().length).toBe(44);
    expect(notifying.member.queues.length).toBe(3);
  });

  it("takes a tag that fills its field, and no longer one", () => {
    expect(machine({ tag: "x".repeat(36) }).member.type.config()[35]).toBe(0x78);
    expect(() => machine({ tag: "x".repeat(37) })).toThrow();
  });

  it("agrees on the smaller version, and answers older drivers with less", () => {
    const { driver } = machine();
    expect(driver.init(31)).toMatchObject({ major: 7, minor: 45, maxWrite: 1 << 20, maxPages: 256 });
    const lengths = [45, 22, 4].map((minor) => {
      // struct fuse_init_in: major, minor, and nothing else, as the first version sent it.
      const body = Uint8Array.from([7, 0, 0, 0, minor, 0, 0, 0]);
      return driver.call(26, 0n, body).length;
    });
    expect(lengths).toEqual([64, 24, 8]);
    expect(errnoOf(() => driver.call(26, 0n, Uint8Array.from([6, 0, 0, 0, 0, 0, 0, 0])))).toBe(71);
  });

  it("answers byte for byte as the header of Linux has it", () => {
    const { driver, memory, member } = machine();
    driver.init();
    // struct fuse_in_header: len, opcode, unique, nodeid, uid, gid, pid, total_extlen, padding; then the name.
    const request = new Uint8Array(46);
    const view = new DataView(request.buffer);
    view.setUint32(0, 46, true);
    view.setUint32(4, LOOKUP, true);
    view.setBigUint64(8, 0x1234n, true);
    view.setBigUint64(16, ROOT, true);
    request.set(text("docs\0x"), 40);
    memory.write(0xf0000, request);
    const [, queue] = driver.driver.queues;
    queue?.add({
      readable: [{ address: 0xf0000, length: 46 }],
      writable: [{ address: 0xf0100, length: 4096 }],
    });
    member.notify(1);
    expect(queue?.poll()?.written).toBe(16 + 128);
    const reply = new DataView(memory.read(0xf0100, 144).buffer);
    expect([reply.getUint32(0, true), reply.getInt32(4, true)]).toEqual([144, 0]);
    expect([reply.getBigUint64(8, true), reply.getBigUint64(16, true)]).toEqual([0x1234n, 2n]);
    // fuse_attr.mode, 40 + 60 bytes behind the header of the reply.
    expect(reply.getUint32(16 + 40 + 60, true)).toBe(0o040755);
  });

  it("leaves out a reply that there is no room for", () => {
    const { driver, memory, member } = machine();
    driver.init();
    memory.write(0xf0000, new Uint8Array(64));
    const [, queue] = driver.driver.queues;
    for (const [length, room] of [
      [39, 64],
      [40, 15],
      [40, 16],
    ] as const) {
      queue?.add({
        readable: [{ address: 0xf0000, length }],
        writable: [{ address: 0xf0100, length: room }],
      });
      member.notify(1);
      // Sixteen bytes are a refusal: the header says that the request has no length.
      expect(queue?.poll()?.written).toBe(length === 40 && room === 16 ? 16 : 0);
    }
    expect(new DataView(memory.read(0xf0104, 4).buffer).getInt32(0, true)).toBe(-EINVAL);
  });

  it("serves the hiprio queue while requests wait, and there only what belongs there", () => {
    const without = PACKED | IN_ORDER;
    const { driver, type, member } = machine({ depth: 8 }, { without }, { deferred: true });
    driver.send(26, 0n, Uint8Array.from([7, 0, 0, 0, 45, 0, 0, 0]));
    member.run();
    driver.poll();
    const { completed } = type;
    const name = text("hello.txt\0");
    const first = driver.send(LOOKUP, ROOT, name);
    const second = driver.send(LOOKUP, ROOT, name);
    // Both are taken, none is carried out.
    expect(member.run(1, 2)).toBe(2);
    driver.interrupt(second ?? 0n);
    member.run(0);
    expect(driver.poll()).toMatchObject({ unique: second, error: -EINTR });
    driver.send(LOOKUP, ROOT, name, 0);
    member.run(0);
    expect(driver.poll()?.error).toBe(-EINVAL);
    expect(driver.outstanding).toBe(1);
    member.run();
    expect(driver.poll()).toMatchObject({ unique: first, error: 0 });
    expect(type.completed - completed).toBe(3);
  });

  it("tells the driver of files that were changed behind its back", () => {
    const { driver, type, member, files } = machine({ notifications: true });
    expect(driver.hasNotifications).toBe(true);
    driver.init();
    const { nodeid } = driver.lookup(ROOT, "hello.txt");
    files.put("hello.txt", text("changed"));
    type.changedOutside("hello.txt");
    type.changedOutside("docs/readme");
    member.run();
    expect(driver.poll()).toBeUndefined();
    // It waits for a buffer; of a file that the driver does not know there is nothing to tell.
    driver.offerNotification();
    driver.offerNotification();
    const told = driver.poll();
    // FUSE_NOTIFY_INVAL_INODE is 2; struct fuse_notify_inval_inode_out begins with the node.
    expect([told?.unique, told?.error]).toEqual([0n, 2]);
    expect(new DataView(told?.data.slice().buffer ?? new ArrayBuffer(8)).getBigUint64(0, true)).toBe(nodeid);
    expect(driver.poll()).toBeUndefined();
  });

  it("has its requests on queue 1 where notifications are not negotiated", () => {
    const { driver } = machine({ notifications: true }, { without: PACKED | 1n });
    expect(driver.requestQueue).toBe(1);
    driver.init();
    expect(driver.lookup(ROOT, "hello.txt").attr.size).toBe(12n);
  });

  it("ends a session with the next one, and with a reset", () => {
    const { driver, member, files } = machine();
    driver.init();
    const { nodeid } = driver.lookup(ROOT, "hello.txt");
    expect(files.find("hello.txt")?.holders).toBe(1);
    driver.init();
    expect(errnoOf(() => driver.attributes(nodeid))).toBe(ESTALE);
    member.reset();
    expect([files.find("hello.txt")?.holders, files.root.holders]).toEqual([0, 0]);
  });
});

describe("a file system device that migrates", () => {
  it("keeps its nodes, its open files and its requests in flight", () => {
    const from = machine({ depth: 4 }, {}, { deferred: true });
    const step = <T>(act: () => T): T => {
      // The driver's calls wait for replies: the device works at once here.
      const { kick } = from.driver.driver;
      from.driver.driver.kick = (queue) => {
        kick.call(from.driver.driver, queue);
        from.member.run();
      };
      const result = act();
      from.driver.driver.kick = kick;
      return result;
    };
    const { fh, nodeid, sub } = step(() => {
      from.driver.init();
      const sub = from.driver.lookup(from.driver.lookup(ROOT, "docs").nodeid, "readme").nodeid;
      const { nodeid } = from.driver.lookup(ROOT, "hello.txt");
      return { fh: from.driver.open(nodeid, O_RDWR), nodeid, sub };
    });
    const { driver } = from;
    const asked = driver.send(READ, nodeid, driver.readBody(fh, 0n, 5));
    expect(from.member.run(undefined, 1)).toBe(1);
    from.member.setMode("freeze");
    const state = from.member.save();
    expect(state.queues[1]?.owned.length).toBe(1);

    const to = machine({ tree: from.files });
    to.member.setMode("freeze");
    to.member.restore(state);
    expect(to.member.save()).toEqual(state);
    to.memory.write(0, from.memory.read(0, GUEST_SIZE));
    driver.attach(
      { common: new CommonConfig(to.member), notify: (queue) => to.member.notify(queue) },
      to.memory,
    );
    to.member.setMode("active");
    expect(driver.poll()).toMatchObject({ unique: asked, error: 0, data: text("hello") });
    expect(driver.attributes(sub).size).toBe(7n);
    expect(driver.writeFile(nodeid, fh, 0, text("HELLO"))).toBe(5);
    expect(driver.readFile(nodeid, fh, 0, 7)).toEqual(text("HELLO, "));
    // Numbers go on behind those that were given out.
    expect(driver.makeDirectory(ROOT, "later").nodeid).toBe(5n);
  });

  it("is refused where its files are not, and where the file system is another", () => {
    const from = machine();
    from.driver.init();
    from.driver.lookup(ROOT, "hello.txt");
    const elsewhere = machine({ tree: new FsTree() });
    const before = elsewhere.member.save();
    expect(() => elsewhere.member.restore(from.member.save())).toThrow(/node 2 is not in the tree/);
    expect(elsewhere.member.save()).toEqual(before);
    const other = machine({ tree: from.files, tag: "other" });
    expect(() => other.member.restore(from.member.save())).toThrow(/the file system shared, here is other/);
  });

  it("loses its session in formats without a place for it, and says so", () => {
    const from = machine();
    from.driver.init();
    const state = from.member.save();
    for (const format of ["device-context", "device-parts"] as const) {
      const lost = writeState(state, format).losses.filter(({ kind }) => kind === "lost");
      expect(lost.map(({ path }) => path)).toEqual(["internal"]);
    }
    const { internal: _, ...rest } = state;
    const to = machine({ tree: from.files });
    to.memory.write(0, from.memory.read(0, GUEST_SIZE));
    to.member.restore(rest);
    from.driver.attach(
      { common: new CommonConfig(to.member), notify: (queue) => to.member.notify(queue) },
      to.memory,
    );
    expect(errnoOf(() => from.driver.lookup(ROOT, "hello.txt"))).toBe(EIO);
  });
});
