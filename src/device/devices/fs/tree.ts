/**
 * Files and directories in memory: what a file system device shows to its guest. Like the shared directory of virtiofsd,
 * a tree is no part of a device: two devices can show the same one, and a guest that moves finds its files where they
 * were.
 */
import { NAME_MAX } from "./bodies.js";
import { Errno, FsError } from "./error.js";

/** @source POSIX, sys/stat.h */
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
/** Of a mode, what chmod can change. */
export const PERMISSIONS = 0o7777;

/** Without the NUL that ends it. @source linux/limits.h, PATH_MAX @unit bytes */
const TARGET_MAX = 4095;

/** What of a file or directory its owner can set. Times are seconds since 1970. */
export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  atime: number;
  mtime: number;
  ctime: number;
}

interface Place {
  readonly parent: Directory;
  readonly name: string;
}

interface Node extends Attributes {
  /** Unique in the tree, and never used again. */
  readonly ino: number;
  /** Where it can be found; undefined for the root, and when it was removed while somebody had it open. */
  place: Place | undefined;
  /** How many sessions know it: what is removed stays as long as there are any. */
  holders: number;
}

export interface File extends Node {
  readonly kind: "file";
  size: number;
  /** At least `size` bytes. */
  room: Uint8Array;
}

export interface Directory extends Node {
  readonly kind: "directory";
  /** By name, in the order in which they were made. */
  readonly entries: Map<string, Entry>;
  nextCookie: number;
}

/** Nobody follows it here: what it leads to, the guest finds out. */
export interface SymbolicLink extends Node {
  readonly kind: "link";
  readonly target: Uint8Array;
}

export type TreeNode = File | Directory | SymbolicLink;

/** Whose a new node is, and what may be done with it. */
export type Owner = Pick<Attributes, "mode" | "uid" | "gid">;

export interface Entry {
  readonly name: string;
  readonly node: TreeNode;
  /** Grows from entry to entry: who lists a directory in pieces goes on behind the one that it has seen last. */
  readonly cookie: number;
}

export interface FsTreeOptions {
  /** Bytes of all files together. */
  readonly capacity?: number;
  /** Files and directories. */
  readonly nodes?: number;
  /** In seconds since 1970. */
  readonly clock?: () => number;
}

/** Cookies 1 and 2 are for `.` and `..`, which are no entries. */
const FIRST_COOKIE = 3;

export class FsTree {
  readonly root: Directory;
  readonly capacity: number;
  readonly maxNodes: number;
  private readonly clock: () => number;
  private usedBytes = 0;
  private nodes = 0;
  private nextIno = 1;

  constructor({
    capacity = 1 << 24,
    nodes = 1 << 16,
    clock = () => Math.floor(Date.now() / 1000),
  }: FsTreeOptions = {}) {
    this.capacity = capacity;
    this.maxNodes = nodes;
    this.clock = clock;
    this.root = this.newDirectory({ mode: 0o755, uid: 0, gid: 0 });
  }

  /** Bytes of all files, and of what links lead to. */
  get used(): number {
    return this.usedBytes;
  }

  /** Files, links and directories, and those that were removed while somebody had them open. */
  get count(): number {
    return this.nodes;
  }

  // What a session does. All of it throws FsError.

  lookup(parent: TreeNode, name: string): TreeNode {
    const found = asDirectory(parent).entries.get(checkedName(name));
    if (found === undefined) throw new FsError(Errno.ENOENT, name);
    return found.node;
  }

  /** Entries behind a cookie; from the first one for 0. */
  entriesAfter(directory: TreeNode, cookie: number): Entry[] {
    return [...asDirectory(directory).entries.values()].filter((entry) => entry.cookie > cookie);
  }

  createFile(parent: TreeNode, name: string, owner: Owner): File {
    const directory = this.vacant(parent, name);
    const file: File = {
      ...this.newNode({ ...owner, mode: S_IFREG | (owner.mode & PERMISSIONS) }),
      kind: "file",
      size: 0,
      room: new Uint8Array(0),
    };
    this.attach(directory, name, file);
    return file;
  }

  createDirectory(parent: TreeNode, name: string, owner: Owner): Directory {
    const directory = this.vacant(parent, name);
    const made = this.newDirectory(owner);
    this.attach(directory, name, made);
    return made;
  }

  /** `target`: any bytes, 1 to 4095 of them. */
  createLink(parent: TreeNode, name: string, target: Uint8Array, owner: Omit<Owner, "mode">): SymbolicLink {
    const directory = this.vacant(parent, name);
    if (target.length === 0) throw new FsError(Errno.ENOENT, "a link to nothing");
    if (target.length > TARGET_MAX) throw new FsError(Errno.ENAMETOOLONG, `${target.length} bytes`);
    this.checkRoom(target.length);
    const link: SymbolicLink = {
      ...this.newNode({ ...owner, mode: S_IFLNK | 0o777 }),
      kind: "link",
      target: target.slice(),
    };
    this.usedBytes += target.length;
    this.attach(directory, name, link);
    return link;
  }

  /** A file or a link. */
  removeFile(parent: TreeNode, name: string): void {
    const node = this.lookup(parent, name);
    if (node.kind === "directory") throw new FsError(Errno.EISDIR, name);
    this.detach(node);
  }

  removeDirectory(parent: TreeNode, name: string): void {
    const node = asDirectory(this.lookup(parent, name));
    if (node.entries.size > 0) throw new FsError(Errno.ENOTEMPTY, name);
    this.detach(node);
  }

  /** What has the new name is replaced, unless only one of the two is a directory, or it has entries. */
  rename(from: TreeNode, name: string, to: TreeNode, newName: string): void {
    const node = this.lookup(from, name);
    const target = asDirectory(to);
    const existing = target.entries.get(checkedName(newName))?.node;
    if (existing === node) return;
    for (let at: Directory | undefined = target; at !== undefined; at = at.place?.parent) {
      if (at === node) throw new FsError(Errno.EINVAL, "a directory cannot be moved into itself");
    }
    if (target !== this.root && target.place === undefined) throw new FsError(Errno.ENOENT, newName);
    if (existing !== undefined) {
      if (existing.kind === "directory") {
        if (node.kind !== "directory") throw new FsError(Errno.EISDIR, newName);
        if (existing.entries.size > 0) throw new FsError(Errno.ENOTEMPTY, newName);
      } else if (node.kind === "directory") throw new FsError(Errno.ENOTDIR, newName);
      this.detach(existing);
    }
    if (node.place !== undefined) this.leave(node.place);
    this.attach(target, newName, node);
    node.ctime = this.clock();
  }

  read(node: TreeNode, offset: number, size: number): Uint8Array {
    const file = asFile(node);
    return file.room.slice(Math.min(offset, file.size), Math.min(offset + size, file.size));
  }

  /** Nothing of a write of no bytes is left, wherever it is to: the file does not grow. */
  write(node: TreeNode, offset: number, bytes: Uint8Array): void {
    const file = asFile(node);
    if (bytes.length === 0) return;
    this.grow(file, offset + bytes.length);
    file.room.set(bytes, offset);
    this.touched(file);
  }

  /** Cuts a file off, or fills it up with zeros. */
  truncate(node: TreeNode, size: number): void {
    const file = asFile(node);
    this.grow(file, size);
    if (size < file.size) {
      this.usedBytes -= file.size - size;
      file.room.fill(0, size, file.size);
      file.size = size;
    }
    this.touched(file);
  }

  change(node: TreeNode, attributes: Partial<Attributes>): void {
    Object.assign(node, attributes);
    node.ctime = this.clock();
  }

  now(): number {
    return this.clock();
  }

  /** A session knows the node: it stays when it is removed. */
  hold(node: TreeNode): void {
    node.holders++;
  }

  letGo(node: TreeNode): void {
    node.holders--;
    this.free(node);
  }

  // What the host does.

  /** Makes a file, with the directories above it, or replaces its contents. `path`: names with `/` between them. */
  put(path: string, contents: Uint8Array): void {
    const names = namesOf(path);
    const last = names.pop();
    if (last === undefined) throw new FsError(Errno.EINVAL, path);
    let directory: TreeNode = this.root;
    for (const name of names) {
      const owner = { mode: 0o755, uid: 0, gid: 0 };
      directory =
        asDirectory(directory).entries.get(name)?.node ?? this.createDirectory(directory, name, owner);
    }
    const file =
      asDirectory(directory).entries.get(last)?.node ??
      this.createFile(directory, last, { mode: 0o644, uid: 0, gid: 0 });
    this.truncate(file, 0);
    this.write(file, 0, contents);
  }

  /** A file or directory by its path, the root by the empty one; undefined when there is none. */
  find(path: string): TreeNode | undefined {
    let node: TreeNode = this.root;
    for (const name of namesOf(path)) {
      const next: TreeNode | undefined = node.kind === "directory" ? node.entries.get(name)?.node : undefined;
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  private newNode(owner: Owner): Node {
    if (this.nodes >= this.maxNodes) throw new FsError(Errno.ENOSPC, `${this.maxNodes} files are all`);
    this.nodes++;
    const now = this.clock();
    return {
      ...owner,
      ino: this.nextIno++,
      atime: now,
      mtime: now,
      ctime: now,
      place: undefined,
      holders: 0,
    };
  }

  private newDirectory(owner: Owner): Directory {
    return {
      ...this.newNode({ ...owner, mode: S_IFDIR | (owner.mode & PERMISSIONS) }),
      kind: "directory",
      entries: new Map(),
      nextCookie: FIRST_COOKIE,
    };
  }

  /** A directory that has a place for the name. */
  private vacant(parent: TreeNode, name: string): Directory {
    const directory = asDirectory(parent);
    if (directory !== this.root && directory.place === undefined) throw new FsError(Errno.ENOENT, name);
    if (directory.entries.has(checkedName(name))) throw new FsError(Errno.EEXIST, name);
    return directory;
  }

  private attach(directory: Directory, name: string, node: TreeNode): void {
    node.place = { parent: directory, name };
    directory.entries.set(name, { name, node, cookie: directory.nextCookie++ });
    this.touched(directory);
  }

  private detach(node: TreeNode): void {
    if (node.place === undefined) return;
    this.leave(node.place);
    node.place = undefined;
    node.ctime = this.clock();
    this.free(node);
  }

  private leave({ parent, name }: Place): void {
    parent.entries.delete(name);
    this.touched(parent);
  }

  /** Its contents are others now. @source POSIX, XBD 4.12 File Times Update */
  private touched(node: TreeNode): void {
    node.mtime = this.clock();
    node.ctime = node.mtime;
  }

  private free(node: TreeNode): void {
    if (node.place !== undefined || node.holders > 0 || node === this.root) return;
    this.nodes--;
    if (node.kind !== "directory") this.usedBytes -= sizeOf(node);
  }

  private checkRoom(more: number): void {
    if (this.usedBytes + more > this.capacity) throw new FsError(Errno.ENOSPC, `${more} bytes more`);
  }

  private grow(file: File, size: number): void {
    const more = size - file.size;
    if (more <= 0) return;
    this.checkRoom(more);
    if (size > file.room.length) {
      // Twice the size, so that a file that is written byte by byte is not copied for each of them.
      const room = new Uint8Array(Math.min(this.capacity, Math.max(size, 2 * file.room.length)));
      room.set(file.room.subarray(0, file.size));
      file.room = room;
    }
    this.usedBytes += more;
    file.size = size;
  }
}

export function asDirectory(node: TreeNode): Directory {
  if (node.kind !== "directory") throw new FsError(Errno.ENOTDIR, "not a directory");
  return node;
}

export function asFile(node: TreeNode): File {
  if (node.kind === "directory") throw new FsError(Errno.EISDIR, "a directory");
  if (node.kind === "link") throw new FsError(Errno.EINVAL, "a symbolic link");
  return node;
}

/** In bytes. */
export function sizeOf(node: File | SymbolicLink): number {
  return node.kind === "file" ? node.size : node.target.length;
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}

function checkedName(name: string): string {
  if (name === "" || name === "." || name === ".." || name.includes("/")) {
    throw new FsError(Errno.EINVAL, `${JSON.stringify(name)} is no name`);
  }
  if (new TextEncoder().encode(name).length > NAME_MAX) throw new FsError(Errno.ENAMETOOLONG, name);
  return name;
}
