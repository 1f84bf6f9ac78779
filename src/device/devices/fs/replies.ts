/** What replies say of a node: its number, its attributes, the file that was opened. */
import {
  encodeFuseAttrOut,
  encodeFuseEntryOut,
  encodeFuseOpenOut,
  type FuseAttr,
} from "../../../../generated/virtio/fuse.js";
import type { FuseSession, Handle } from "./session.js";
import { sizeOf, type TreeNode } from "./tree.js";

/** @unit bytes */
export const BLOCK = 4096;
/** Of `fuse_attr.blocks`, whatever the size of a block is. */
const SECTOR = 512;

/** The node with its attributes: one more look-up. */
export function entryOf(session: FuseSession, node: TreeNode): Uint8Array {
  return encodeFuseEntryOut(
    {
      nodeid: session.lookedUp(node),
      generation: 0n,
      // The driver keeps nothing: the host may change the tree at any time.
      entryValid: 0n,
      attrValid: 0n,
      entryValidNsec: 0,
      attrValidNsec: 0,
      attr: attrOf(node),
    },
    session.littleEndian,
  );
}

export function attributesOf({ littleEndian }: FuseSession, node: TreeNode): Uint8Array {
  return encodeFuseAttrOut({ attrValid: 0n, attrValidNsec: 0, attr: attrOf(node) }, littleEndian);
}

export function openOf({ littleEndian }: FuseSession, { id }: Handle): Uint8Array {
  return encodeFuseOpenOut({ fh: id, openFlags: 0, backingId: 0 }, littleEndian);
}

function attrOf(node: TreeNode): FuseAttr {
  const size = node.kind === "directory" ? BLOCK : sizeOf(node);
  const links = node.kind === "directory" ? 2 : 1;
  return {
    ino: BigInt(node.ino),
    size: BigInt(size),
    blocks: BigInt(Math.ceil(size / SECTOR)),
    atime: BigInt(node.atime),
    mtime: BigInt(node.mtime),
    ctime: BigInt(node.ctime),
    atimensec: 0,
    mtimensec: 0,
    ctimensec: 0,
    mode: node.mode,
    nlink: node.place === undefined && node.ino !== 1 ? 0 : links,
    uid: node.uid,
    gid: node.gid,
    rdev: 0,
    blksize: BLOCK,
    flags: 0,
  };
}
