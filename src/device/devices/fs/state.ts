/**
 * A session in virtiofsd's own format: what its driver knows, by path. What the format cannot hold:
 * - a file that was removed while it was open has no path: where the guest goes on, its numbers mean nothing;
 * - the driver's byte order and version: it is taken to be little-endian, and of the version that is known here;
 * - the contents of files, which lie in the tree that both devices show.
 */
import {
  decodeVirtiofsdState,
  encodeVirtiofsdState,
  type VirtiofsdHandle,
  type VirtiofsdHandlesList,
  type VirtiofsdInode,
  type VirtiofsdInodesList,
  VirtiofsdLocation,
  type VirtiofsdText,
  type VirtiofsdVarint,
} from "../../../../generated/vhost-user/virtiofsd-state.js";
import { FUSE_KERNEL_MINOR_VERSION, FUSE_ROOT_ID } from "../../../../generated/virtio/fuse.js";
import { WireError } from "../../../runtime/index.js";
import { FsError } from "./error.js";
import { FuseSession } from "./session.js";
import type { FsTree, TreeNode } from "./tree.js";

const ROOT = BigInt(FUSE_ROOT_ID);
/** What virtiofsd 1.11 writes, and later ones read. */
const FIRST_VERSION = 0;
/** The groups of a number of variable size, from the lowest on. */
const GROUPS = [
  ["bits0", "more"],
  ["bits7", "more7"],
  ["bits14", "more14"],
  ["bits21", "more21"],
  ["bits28", "more28"],
  ["bits35", "more35"],
  ["bits42", "more42"],
  ["bits49", "more49"],
  ["bits56", "more56"],
  ["bits63", "more63"],
] as const;
const GROUP = 7;
/** Far more than a session can come to: numbers are of 64 bits. */
const MAX_NUMBER = 1n << 63n;

/** No bytes when there is no session. */
export function saveSession(session: FuseSession | undefined): Uint8Array {
  if (session === undefined) return new Uint8Array(0);
  const ids = new Map<TreeNode, bigint>(session.nodes.map(({ id, node }) => [node, id]));
  let { node: next } = session.next;
  const inodes = session.nodes.map(({ id, node, lookups }) => ({ id, node, lookups }));
  // A file stays open under the number that it was opened by, also when the driver has forgotten that.
  const listed = new Set(session.nodes.map(({ id }) => id));
  for (const { nodeId: id, node } of session.handles) {
    if (listed.has(id)) continue;
    listed.add(id);
    inodes.push({ id, node, lookups: 0n });
    if (!ids.has(node)) ids.set(node, id);
  }
  // A node is found from its directory, which the driver need not know: then it gets a number for the journey.
  for (const { node } of inodes) {
    const parent = node.place?.parent;
    if (parent === undefined || ids.has(parent)) continue;
    ids.set(parent, next);
    inodes.push({ id: next++, node: parent, lookups: 0n });
  }
  return encodeVirtiofsdState({
    version: FIRST_VERSION,
    inodes: inodesList(inodes.map((one) => inode(one, ids))),
    nextInode: varint(next),
    handles: handlesList(
      session.handles.map(({ id, nodeId, flags }) => ({
        id: varint(id),
        inode: varint(nodeId),
        source: 0,
        flags: varint(BigInt(flags) << 1n),
      })),
    ),
    nextHandle: varint(session.next.handle),
    negotiatedOpts: { writeback: 0, announceSubmounts: 0, posixAcl: 0, supGroupExtension: 0 },
  });
}

/**
 * Undefined for no bytes.
 * @throws RangeError when the bytes are no state, or when the tree has not what it names.
 */
export function restoreSession(state: Uint8Array, tree: FsTree): FuseSession | undefined {
  if (state.length === 0) return undefined;
  const session = new FuseSession(tree, true, FUSE_KERNEL_MINOR_VERSION);
  try {
    fill(session, state);
    return session;
  } catch (error) {
    session.end();
    if (error instanceof WireError || error instanceof FsError) throw new RangeError(error.message);
    throw error;
  }
}

function fill(session: FuseSession, state: Uint8Array): void {
  const { inodes, nextInode, handles, nextHandle, negotiatedOpts } = decodeVirtiofsdState(state);
  const refused = Object.entries(negotiatedOpts).find(([, value]) => value !== 0);
  if (refused !== undefined) throw new RangeError(`${refused[0]} was agreed on, and is not known here`);
  const found = nodesOf(inodesIn(inodes), session.tree);
  const lost = new Set<bigint>();
  for (const { id, refcount, location } of inodesIn(inodes)) {
    const node = found.get(numberOf(id));
    if (location === VirtiofsdLocation.VIRTIOFSD_INVALID) lost.add(numberOf(id));
    else if (node === undefined) throw new RangeError(`node ${numberOf(id)} is not in the tree`);
    else if (numberOf(id) !== ROOT && numberOf(refcount) > 0n) {
      if (session.idOf(node) !== undefined) throw new RangeError(`two numbers for node ${numberOf(id)}`);
      session.enter(numberOf(id), node, numberOf(refcount));
    }
  }
  for (const { id, inode: of, flags } of handlesIn(handles)) {
    const nodeId = numberOf(of);
    if (lost.has(nodeId)) continue;
    const node = found.get(nodeId);
    if (node === undefined) throw new RangeError(`handle ${numberOf(id)} is of a node that is not there`);
    session.enterHandle({ id: numberOf(id), nodeId, node, flags: Number(numberOf(flags) >> 1n) });
  }
  session.continueFrom({ node: numberOf(nextInode), handle: numberOf(nextHandle) });
  if (session.next.node > MAX_NUMBER || session.next.handle > MAX_NUMBER) {
    throw new RangeError("there are no more numbers to give out");
  }
}

/** Every inode that can be reached from the root, by its number. */
function nodesOf(inodes: readonly VirtiofsdInode[], tree: FsTree): Map<bigint, TreeNode> {
  const children = new Map<bigint, { readonly id: bigint; readonly name: string }[]>();
  const found = new Map<bigint, TreeNode>([[ROOT, tree.root]]);
  for (const { id, whereItIs } of inodes) {
    if (whereItIs.case === "path") {
      const parent = numberOf(whereItIs.value.parent);
      const siblings = children.get(parent) ?? [];
      siblings.push({ id: numberOf(id), name: textOf(whereItIs.value.filename) });
      children.set(parent, siblings);
    } else if (whereItIs.case === "fullPath") {
      const node = tree.find(textOf(whereItIs.value));
      if (node !== undefined) found.set(numberOf(id), node);
    }
  }
  // What is added on the way is visited, too; what nothing leads to is not.
  for (const [id, node] of found) {
    for (const child of children.get(id) ?? []) {
      if (node.kind !== "directory" || found.has(child.id)) continue;
      const next = node.entries.get(child.name)?.node;
      if (next !== undefined) found.set(child.id, next);
    }
  }
  return found;
}

function inode(
  { id, node, lookups }: { readonly id: bigint; readonly node: TreeNode; readonly lookups: bigint },
  ids: ReadonlyMap<TreeNode, bigint>,
): VirtiofsdInode {
  const common = { id: varint(id), refcount: varint(lookups), hasFileHandle: 0 };
  if (id === ROOT) {
    return {
      ...common,
      location: VirtiofsdLocation.VIRTIOFSD_ROOT_NODE,
      whereItIs: { case: "virtiofsdRootNode", value: undefined },
    };
  }
  const parent = node.place && ids.get(node.place.parent);
  if (node.place === undefined || parent === undefined) {
    return {
      ...common,
      location: VirtiofsdLocation.VIRTIOFSD_INVALID,
      whereItIs: { case: "virtiofsdInvalid", value: undefined },
    };
  }
  return {
    ...common,
    location: VirtiofsdLocation.VIRTIOFSD_PATH,
    whereItIs: { case: "path", value: { parent: varint(parent), filename: text(node.place.name) } },
  };
}

function varint(value: bigint): VirtiofsdVarint {
  const groups: Partial<VirtiofsdVarint> = {};
  let left = BigInt.asUintN(64, value);
  for (const [bits, more] of GROUPS) {
    groups[bits] = Number(BigInt.asUintN(GROUP, left));
    left >>= BigInt(GROUP);
    groups[more] = left === 0n ? 0 : 1;
    if (left === 0n) break;
  }
  return { bits0: 0, more: 0, ...groups };
}

function numberOf(groups: VirtiofsdVarint): bigint {
  return GROUPS.reduce(
    (value, [bits], index) => value | (BigInt(groups[bits] ?? 0) << BigInt(index * GROUP)),
    0n,
  );
}

function text(value: string): VirtiofsdText {
  // One byte a character: what `char` is in a schema.
  const chars = String.fromCharCode(...new TextEncoder().encode(value));
  const { length } = chars;
  return isLong(length)
    ? {
        ...lowest(length),
        text: {
          case: "two",
          value: { length7: length >> GROUP, more: 0, text: { text: chars } },
        },
      }
    : { ...lowest(length), text: { case: "one", value: { text: chars } } };
}

function textOf({ text: form }: VirtiofsdText): string {
  const chars = form.case === "one" ? form.value.text : form.value.text.text;
  return new TextDecoder().decode(Uint8Array.from(chars, (char) => char.charCodeAt(0)));
}

/** The lengths of lists, in one, two or three groups. */
function lowest(count: number): { length0: number; more: number } {
  return { length0: count & 0x7f, more: isLong(count) ? 1 : 0 };
}

function middle(count: number): { length7: number; more: number } {
  return { length7: (count >> GROUP) & 0x7f, more: isLong(count >> GROUP) ? 1 : 0 };
}

function isLong(count: number): boolean {
  return count >= 1 << GROUP;
}

function inodesList(items: VirtiofsdInode[]): VirtiofsdInodesList {
  const { length } = items;
  if (!isLong(length)) return { ...lowest(length), list: { case: "one", value: { items } } };
  const rest = isLong(length >> GROUP)
    ? { case: "three" as const, value: { length14: length >> (2 * GROUP), more: 0, list: { items } } }
    : { case: "two" as const, value: { items } };
  return { ...lowest(length), list: { case: "two", value: { ...middle(length), list: rest } } };
}

function handlesList(items: VirtiofsdHandle[]): VirtiofsdHandlesList {
  const { length } = items;
  if (!isLong(length)) return { ...lowest(length), list: { case: "one", value: { items } } };
  const rest = isLong(length >> GROUP)
    ? { case: "three" as const, value: { length14: length >> (2 * GROUP), more: 0, list: { items } } }
    : { case: "two" as const, value: { items } };
  return { ...lowest(length), list: { case: "two", value: { ...middle(length), list: rest } } };
}

function inodesIn({ list }: VirtiofsdInodesList): readonly VirtiofsdInode[] {
  if (list.case === "one") return list.value.items;
  const { list: rest } = list.value;
  return rest.case === "two" ? rest.value.items : rest.value.list.items;
}

function handlesIn({ list }: VirtiofsdHandlesList): readonly VirtiofsdHandle[] {
  if (list.case === "one") return list.value.items;
  const { list: rest } = list.value;
  return rest.case === "two" ? rest.value.items : rest.value.list.items;
}
