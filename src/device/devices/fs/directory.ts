/** The listing of a directory, page by page. @source linux/fuse.h, struct fuse_dirent */
import { encodeFuseDirent, type FuseDirent } from "../../../../generated/virtio/fuse.js";
import { asDirectory, type FsTree, type TreeNode } from "./tree.js";

/** @source POSIX, dirent.h: d_type */
const TYPES: Readonly<Record<TreeNode["kind"], number>> = { directory: 4, file: 8, link: 10 };

/** Entries behind the one that `after` names, as many whole ones as fit into `size` bytes; `.` and `..` come first. */
export function directoryPage(
  tree: FsTree,
  node: TreeNode,
  after: number,
  size: number,
  littleEndian: boolean,
): Uint8Array {
  const directory = asDirectory(node);
  const all = [
    { name: ".", node: directory, cookie: 1 },
    { name: "..", node: directory.place?.parent ?? directory, cookie: 2 },
    ...tree.entriesAfter(directory, after),
  ];
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (const entry of all) {
    if (entry.cookie <= after) continue;
    const piece = encodeFuseDirent(direntOf(entry.name, entry.node, entry.cookie), littleEndian);
    if (length + piece.length > size) break;
    pieces.push(piece);
    length += piece.length;
  }
  const page = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    page.set(piece, at);
    at += piece.length;
  }
  return page;
}

function direntOf(name: string, node: TreeNode, cookie: number): FuseDirent {
  return {
    ino: BigInt(node.ino),
    off: BigInt(cookie),
    type: TYPES[node.kind],
    name: new TextEncoder().encode(name),
  };
}
