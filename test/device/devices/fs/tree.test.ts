import { describe, expect, it } from "vitest";
import { FsError } from "../../../../src/device/devices/fs/error.js";
import { FsTree } from "../../../../src/device/devices/fs/tree.js";

const OWNER = { mode: 0o644, uid: 0, gid: 0 };

function errnoOf(act: () => unknown): number {
  try {
    act();
  } catch (error) {
    if (error instanceof FsError) return error.errno;
    throw error;
  }
  return 0;
}

describe("a tree of files", () => {
  it("holds no more than it has room for", () => {
    const tree = new FsTree({ capacity: 10, nodes: 3 });
    const file = tree.createFile(tree.root, "a", OWNER);
    expect(errnoOf(() => tree.write(file, 8, new Uint8Array(3)))).toBe(28);
    expect(errnoOf(() => tree.write(file, 2 ** 52, new Uint8Array(1)))).toBe(28);
    expect(errnoOf(() => tree.truncate(file, 11))).toBe(28);
    expect([file.size, tree.used]).toEqual([0, 0]);
    tree.write(file, 8, new Uint8Array(2));
    tree.createFile(tree.root, "b", OWNER);
    expect(errnoOf(() => tree.createFile(tree.root, "c", OWNER))).toBe(28);
    tree.removeFile(tree.root, "a");
    expect([tree.used, tree.count]).toEqual([0, 2]);
  });

  it("reads zeros where nothing was written, also after it was cut off", () => {
    const tree = new FsTree();
    const file = tree.createFile(tree.root, "a", OWNER);
    tree.write(file, 0, new Uint8Array(8).fill(7));
    tree.truncate(file, 2);
    tree.truncate(file, 6);
    expect([...tree.read(file, 0, 100)]).toEqual([7, 7, 0, 0, 0, 0]);
    tree.write(file, 7, Uint8Array.of(9));
    expect([...tree.read(file, 5, 100)]).toEqual([0, 0, 9]);
  });

  it("takes a write of nothing for nothing, wherever it is to", () => {
    const tree = new FsTree({ clock: () => 5 });
    const file = tree.createFile(tree.root, "a", OWNER);
    file.mtime = 1;
    for (const offset of [0, 5, 2 ** 52]) tree.write(file, offset, new Uint8Array(0));
    expect([file.size, file.mtime]).toEqual([0, 1]);
  });

  it("keeps the times that POSIX marks", () => {
    let now = 0;
    const tree = new FsTree({ clock: () => now });
    tree.put("d/a", new Uint8Array(4));
    tree.put("e/b", new Uint8Array(4));
    const [d, e] = [tree.lookup(tree.root, "d"), tree.lookup(tree.root, "e")];
    const [a, b] = [tree.lookup(d, "a"), tree.lookup(e, "b")];
    /** What of a node has been marked since: m for its contents, c for itself. */
    const marked = (...nodes: readonly { mtime: number; ctime: number }[]): string =>
      nodes.map(({ mtime, ctime }) => (mtime === now ? "m" : "") + (ctime === now ? "c" : "")).join(" ");
    now = 1;
    tree.write(a, 0, new Uint8Array(1));
    expect(marked(a, d)).toBe("mc ");
    now = 2;
    tree.truncate(a, 1);
    expect(marked(a, d)).toBe("mc ");
    now = 3;
    tree.change(a, { mode: 0o100600 });
    expect(marked(a, d)).toBe("c ");
    now = 4;
    tree.rename(d, "a", e, "c");
    expect(marked(a, d, e)).toBe("c mc mc");
    now = 5;
    tree.hold(b);
    tree.removeFile(e, "b");
    expect(marked(b, e)).toBe("c mc");
  });

  it("keeps links as they are, and counts what they lead to", () => {
    const tree = new FsTree({ capacity: 5000, nodes: 6 });
    const target = new TextEncoder().encode("../somewhere");
    const link = tree.createLink(tree.root, "a", target, { uid: 1, gid: 2 });
    target.fill(0);
    expect([link.mode, new TextDecoder().decode(link.target), tree.used]).toEqual([
      0o120777,
      "../somewhere",
      12,
    ]);
    expect(errnoOf(() => tree.createLink(tree.root, "b", new Uint8Array(0), OWNER))).toBe(2);
    expect(errnoOf(() => tree.createLink(tree.root, "b", new Uint8Array(4096), OWNER))).toBe(36);
    expect(errnoOf(() => tree.createLink(tree.root, "a", new Uint8Array(1), OWNER))).toBe(17);
    tree.createLink(tree.root, "b", new Uint8Array(4095), OWNER);
    expect(errnoOf(() => tree.createLink(tree.root, "c", new Uint8Array(894), OWNER))).toBe(28);
    expect([tree.used, tree.count]).toEqual([12 + 4095, 3]);
    // Nothing is written through one, and it is no directory.
    expect(errnoOf(() => tree.write(link, 0, new Uint8Array(1)))).toBe(22);
    expect(errnoOf(() => tree.lookup(link, "x"))).toBe(20);
    tree.createDirectory(tree.root, "d", OWNER);
    expect(errnoOf(() => tree.rename(tree.root, "a", tree.root, "d"))).toBe(21);
    expect(errnoOf(() => tree.rename(tree.root, "d", tree.root, "a"))).toBe(20);
    tree.rename(tree.root, "b", tree.root, "a");
    expect([tree.used, tree.lookup(tree.root, "a")]).toEqual([
      4095,
      expect.objectContaining({ kind: "link" }),
    ]);
    expect(errnoOf(() => tree.removeDirectory(tree.root, "a"))).toBe(20);
    tree.removeFile(tree.root, "a");
    expect([tree.used, tree.count]).toEqual([0, 2]);
  });

  it("takes only names", () => {
    const tree = new FsTree();
    for (const name of ["", ".", "..", "a/b"])
      expect(errnoOf(() => tree.createFile(tree.root, name, OWNER))).toBe(22);
    expect(errnoOf(() => tree.createFile(tree.root, "ü".repeat(128), OWNER))).toBe(36);
    for (const name of ["__proto__", "constructor", "ü".repeat(127)]) {
      expect(errnoOf(() => tree.lookup(tree.root, name))).toBe(2);
      expect(tree.createFile(tree.root, name, OWNER).kind).toBe("file");
      expect(errnoOf(() => tree.createFile(tree.root, name, OWNER))).toBe(17);
    }
  });

  it("moves and replaces as rename(2) does", () => {
    const tree = new FsTree();
    tree.put("d/e/f", new Uint8Array(1));
    tree.put("g", new Uint8Array(2));
    const d = tree.lookup(tree.root, "d");
    const e = tree.lookup(d, "e");
    expect(errnoOf(() => tree.rename(tree.root, "d", e, "inside"))).toBe(22);
    expect(errnoOf(() => tree.rename(tree.root, "g", tree.root, "d"))).toBe(21);
    expect(errnoOf(() => tree.rename(tree.root, "d", tree.root, "g"))).toBe(20);
    tree.put("full/h", new Uint8Array(1));
    expect(errnoOf(() => tree.rename(tree.root, "d", tree.root, "full"))).toBe(39);
    tree.rename(tree.root, "g", e, "f");
    expect([tree.find("d/e/f"), tree.find("g"), tree.used]).toMatchObject([{ size: 2 }, undefined, 3]);
    expect(errnoOf(() => tree.removeFile(tree.root, "d"))).toBe(21);
    expect(errnoOf(() => tree.removeDirectory(tree.root, "d"))).toBe(39);
    expect(errnoOf(() => tree.removeDirectory(e, "f"))).toBe(20);
  });

  it("puts nothing into a directory that was removed while it was open", () => {
    const tree = new FsTree();
    const gone = tree.createDirectory(tree.root, "d", OWNER);
    tree.hold(gone);
    tree.removeDirectory(tree.root, "d");
    tree.put("a", new Uint8Array(1));
    expect(errnoOf(() => tree.createFile(gone, "x", OWNER))).toBe(2);
    expect(errnoOf(() => tree.rename(tree.root, "a", gone, "x"))).toBe(2);
    expect(tree.count).toBe(3);
    tree.letGo(gone);
    expect(tree.count).toBe(2);
  });
});
