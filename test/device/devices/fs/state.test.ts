/** A session in virtiofsd's format, against bytes put together by hand after its source. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FuseSession } from "../../../../src/device/devices/fs/session.js";
import { restoreSession, saveSession } from "../../../../src/device/devices/fs/state.js";
import { FsTree } from "../../../../src/device/devices/fs/tree.js";
import { seed } from "../../../properties/drawn.js";

const MINOR = 45;

/** postcard: a list is its length, then its items; text is a list of bytes; numbers are varints. */
const text = (value: string) => [value.length, ...Buffer.from(value)];

function tree(): FsTree {
  const files = new FsTree({ clock: () => 0 });
  files.put("a/b", new Uint8Array(3));
  files.put("c", new Uint8Array(4));
  return files;
}

function known(session: FuseSession) {
  return {
    nodes: session.nodes.map(({ id, node, lookups }) => [id, node.ino, lookups]),
    handles: session.handles.map(({ id, nodeId, node, flags }) => [id, nodeId, node.ino, flags]),
    next: session.next,
  };
}

describe("a FUSE session as virtiofsd writes it", () => {
  it("is what serde derives for its structs", () => {
    const files = tree();
    const session = new FuseSession(files, true, MINOR);
    const b = session.lookedUp(files.lookup(files.lookup(files.root, "a"), "b"));
    session.lookedUp(files.lookup(files.lookup(files.root, "a"), "b"));
    session.opened(b, 0x8002);
    expect([...saveSession(session)]).toEqual([
      ...[0, 3],
      // id, refcount, InodeLocation, no file handle.
      ...[1, 0, 0, 0],
      ...[2, 2, 1, 3, ...text("b"), 0],
      // The directory that leads there: the guest does not know it.
      ...[3, 0, 1, 1, ...text("a"), 0],
      ...[4],
      // id, inode, HandleSource, flags folded: 0x10004 in groups of 7 bits.
      ...[1, 0, 2, 0, 0x84, 0x80, 0x04],
      ...[1],
      ...[0, 0, 0, 0],
    ]);
    const restored = restoreSession(saveSession(session), files);
    expect(restored && known(restored)).toMatchObject({
      nodes: [
        [1n, 1, 0n],
        [2n, 3, 2n],
      ],
      handles: [[0n, 2n, 3, 0x8002]],
      next: { node: 4n, handle: 1n },
    });
  });

  it("of version 1.13 is read with full paths, and with what was removed", () => {
    const files = tree();
    const session = restoreSession(
      Uint8Array.from([
        ...[1, 3],
        ...[1, 2, 0, 0],
        ...[9, 1, 3, ...text("/a/b"), 0],
        ...[8, 1, 2, 0],
        ...[10],
        ...[2, 5, 9, 0, 2, 6, 8, 0, 2],
        ...[7],
        ...[0, 0, 0, 0],
        ...[0],
      ]),
      files,
    );
    expect(session && known(session)).toEqual({
      nodes: [
        [1n, 1, 0n],
        [9n, 3, 1n],
      ],
      handles: [[5n, 9n, 3, 1]],
      next: { node: 10n, handle: 7n },
    });
  });

  it.each([
    ["what it agreed on and is not known here", [0, 0, 1, 0, 0, 1, 0, 0, 0], /writeback/],
    ["a node that is not there", [0, 1, 2, 1, 1, 1, ...text("x"), 0, 3, 0, 0, 0, 0, 0, 0], /node 2/],
    ["nodes that lead to each other", [0, 1, 2, 1, 1, 2, ...text("a"), 0, 3, 0, 0, 0, 0, 0, 0], /node 2/],
    ["a handle of nothing", [0, 0, 2, 1, 0, 7, 0, 0, 1, 0, 0, 0, 0], /handle 0/],
    ["bytes that are cut short", [0, 1, 1], /truncated|bytes/],
  ])("is refused with %s", (_, bytes, message) => {
    const files = tree();
    expect(() => restoreSession(Uint8Array.from(bytes), files)).toThrow(RangeError);
    expect(() => restoreSession(Uint8Array.from(bytes), files)).toThrow(message);
    expect(files.root.holders).toBe(0);
  });

  it("comes back as it was, whatever the driver has looked up, opened, forgotten and removed", () => {
    const step = fc.record({
      what: fc.constantFrom("look", "open", "forget", "make", "remove"),
      at: fc.nat({ max: 300 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const files = tree();
        const session = new FuseSession(files, true, MINOR);
        for (const { what, at } of steps) {
          const name = `file ${at} ü`;
          if (what === "make" && !files.root.entries.has(name)) {
            files.createFile(files.root, name, { mode: 0o644, uid: 0, gid: 0 });
          }
          const found = [...files.root.entries.values()][at % files.root.entries.size]?.node ?? files.root;
          const [id] = session.nodes.map((one) => one.id).slice(at % session.nodes.length);
          if (what === "look") session.lookedUp(found);
          if (what === "open" && found.kind === "file") session.opened(session.lookedUp(found), at);
          if (what === "forget" && id !== undefined) session.forget(id, 1n);
        }
        const restored = restoreSession(saveSession(session), files);
        expect(restored && known(restored)).toEqual(known(session));
      }),
      { seed, numRuns: 60 },
    );
  });
});
