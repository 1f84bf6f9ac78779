/**
 * One FUSE session: the numbers by which a driver names the nodes that it has looked up and the files that it has open.
 * Both have to be the same where the guest goes on.
 * @source virtio 1.4, Live migration considerations (device-types/fs/description.tex)
 */
import { FUSE_ROOT_ID } from "../../../../generated/virtio/fuse.js";
import { Errno, FsError } from "./error.js";
import type { FsTree, TreeNode } from "./tree.js";

/** A driver that looks up and opens without end is refused more. */
const MAX_NODES = 1 << 16;
const MAX_HANDLES = 1 << 16;
const ROOT = BigInt(FUSE_ROOT_ID);

export interface KnownNode {
  readonly id: bigint;
  readonly node: TreeNode;
  /** How many look-ups the driver has not taken back. */
  lookups: bigint;
}

export interface Handle {
  readonly id: bigint;
  /** The node's number and the node. */
  readonly nodeId: bigint;
  readonly node: TreeNode;
  /** As for open(2). */
  readonly flags: number;
}

export class FuseSession {
  readonly tree: FsTree;
  /** Of the driver: the opcode of its FUSE_INIT shows it. */
  readonly littleEndian: boolean;
  /** The smaller one of both sides. */
  readonly minor: number;
  private readonly byId = new Map<bigint, KnownNode>();
  private readonly byNode = new Map<TreeNode, KnownNode>();
  private readonly open = new Map<bigint, Handle>();
  private nextId = ROOT;
  private nextHandle = 0n;

  constructor(tree: FsTree, littleEndian: boolean, minor: number) {
    this.tree = tree;
    this.littleEndian = littleEndian;
    this.minor = minor;
    this.know(tree.root);
  }

  get nodes(): readonly KnownNode[] {
    return [...this.byId.values()];
  }

  get handles(): readonly Handle[] {
    return [...this.open.values()];
  }

  /** The next numbers that are given out. */
  get next(): { readonly node: bigint; readonly handle: bigint } {
    return { node: this.nextId, handle: this.nextHandle };
  }

  /** @throws FsError when the driver does not know the node, e.g. after it has forgotten it. */
  node(id: bigint): TreeNode {
    const known = this.byId.get(id);
    if (known === undefined) throw new FsError(Errno.ESTALE, `no node ${id}`);
    return known.node;
  }

  idOf(node: TreeNode): bigint | undefined {
    return this.byNode.get(node)?.id;
  }

  /** The driver has looked the node up once more. @throws FsError */
  lookedUp(node: TreeNode): bigint {
    const known = this.byNode.get(node) ?? this.know(node);
    known.lookups++;
    return known.id;
  }

  /** The number of a node that the driver need not have looked up. @throws FsError */
  know(node: TreeNode): KnownNode {
    const present = this.byNode.get(node);
    if (present !== undefined) return present;
    if (this.byId.size >= MAX_NODES) throw new FsError(Errno.ENFILE, `${MAX_NODES} nodes are known`);
    return this.enter(this.nextId, node, 0n);
  }

  /** As many look-ups are taken back: at none the number means nothing any more. The root is never forgotten. */
  forget(id: bigint, lookups: bigint): void {
    const known = this.byId.get(id);
    if (known === undefined) return;
    known.lookups = lookups >= known.lookups ? 0n : known.lookups - lookups;
    if (known.lookups > 0n || id === ROOT) return;
    this.byId.delete(id);
    this.byNode.delete(known.node);
    this.tree.letGo(known.node);
  }

  /** @throws FsError */
  opened(nodeId: bigint, flags: number): Handle {
    if (this.open.size >= MAX_HANDLES) throw new FsError(Errno.ENFILE, `${MAX_HANDLES} files are open`);
    return this.enterHandle({ id: this.nextHandle, nodeId, node: this.node(nodeId), flags });
  }

  /** @throws FsError when there is none, or when it is of another node. */
  handle(id: bigint, nodeId: bigint): Handle {
    const handle = this.open.get(id);
    if (handle === undefined || handle.nodeId !== nodeId) throw new FsError(Errno.EBADF, `no handle ${id}`);
    return handle;
  }

  /** @throws FsError */
  release(id: bigint, nodeId: bigint): void {
    this.tree.letGo(this.handle(id, nodeId).node);
    this.open.delete(id);
  }

  /** A number that was given out elsewhere, and is in use here neither for this node nor for another. */
  enter(id: bigint, node: TreeNode, lookups: bigint): KnownNode {
    const known: KnownNode = { id, node, lookups };
    this.byId.set(id, known);
    this.byNode.set(node, known);
    this.tree.hold(node);
    if (id >= this.nextId) this.nextId = id + 1n;
    return known;
  }

  /** Likewise. */
  enterHandle(handle: Handle): Handle {
    this.open.set(handle.id, handle);
    this.tree.hold(handle.node);
    if (handle.id >= this.nextHandle) this.nextHandle = handle.id + 1n;
    return handle;
  }

  /** No number below these is given out. */
  continueFrom(next: { readonly node: bigint; readonly handle: bigint }): void {
    if (next.node > this.nextId) this.nextId = next.node;
    if (next.handle > this.nextHandle) this.nextHandle = next.handle;
  }

  /** The session is over: what only it has kept is let go. */
  end(): void {
    for (const { node } of this.open.values()) this.tree.letGo(node);
    for (const { node } of this.byId.values()) this.tree.letGo(node);
    this.open.clear();
    this.byId.clear();
    this.byNode.clear();
  }
}
