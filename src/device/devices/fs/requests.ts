/**
 * FUSE requests carried out on a tree. What a request takes comes as a copy, which the guest cannot change any more; what
 * it gives is bounded by the room that the driver has left for it.
 * @source linux/fuse.h; virtio 1.4, Device Operation (device-types/fs/description.tex)
 */
import {
  decodeFuseBatchForget,
  encodeFuseAttrOut,
  encodeFuseEntryOut,
  encodeFuseKstatfs,
  encodeFuseOpenOut,
  encodeFuseWriteOut,
  FUSE_CREATE_IN_SIZE,
  FUSE_FORGET_IN_SIZE,
  FUSE_MKDIR_IN_SIZE,
  FUSE_OPEN_IN_SIZE,
  FUSE_READ_IN_SIZE,
  FUSE_RELEASE_IN_SIZE,
  FUSE_RENAME_IN_SIZE,
  FUSE_SETATTR_IN_SIZE,
  FUSE_WRITE_IN_SIZE,
  type FuseAttr,
  type FuseInHeader,
  FuseOpcode,
  FuseSetattrValid,
  readFuseCreateIn,
  readFuseForgetIn,
  readFuseMkdirIn,
  readFuseOpenIn,
  readFuseReadIn,
  readFuseReleaseIn,
  readFuseRenameIn,
  readFuseSetattrIn,
  readFuseWriteIn,
} from "../../../../generated/virtio/fuse.js";
import { Reader } from "../../../runtime/index.js";
import { directoryPage } from "./directory.js";
import { Errno, FsError } from "./error.js";
import type { FuseSession, Handle } from "./session.js";
import { type Attributes, asDirectory, asFile, PERMISSIONS, type TreeNode } from "./tree.js";

const BLOCK = 4096;
/** Of `fuse_attr.blocks`, whatever the size of a block is. */
const SECTOR = 512;
const NAME_MAX = 255;
/** @source linux/fcntl.h (asm-generic): the access mode, and what an open can do to the file */
const O_ACCMODE = 3;
const O_RDONLY = 0;
const O_WRONLY = 1;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;

export interface FuseRequest {
  readonly header: FuseInHeader;
  /** What follows the header. */
  readonly body: Uint8Array;
  /** Bytes that there is room for behind the header of the reply. */
  readonly room: number;
}

/** What follows the header of the reply; undefined for requests that have none. Throws FsError or WireError. */
type Handler = (session: FuseSession, request: FuseRequest) => Uint8Array | undefined;

const NOTHING = new Uint8Array(0);

/** Requests that can be carried out in a session. Others give ENOSYS: drivers do without them then. */
const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [FuseOpcode.FUSE_LOOKUP, lookup],
  [FuseOpcode.FUSE_FORGET, forget],
  [FuseOpcode.FUSE_BATCH_FORGET, forgetMany],
  [FuseOpcode.FUSE_GETATTR, getAttributes],
  [FuseOpcode.FUSE_SETATTR, setAttributes],
  [FuseOpcode.FUSE_MKDIR, makeDirectory],
  [FuseOpcode.FUSE_UNLINK, unlink],
  [FuseOpcode.FUSE_RMDIR, removeDirectory],
  [FuseOpcode.FUSE_RENAME, rename],
  [FuseOpcode.FUSE_OPEN, open],
  [FuseOpcode.FUSE_OPENDIR, open],
  [FuseOpcode.FUSE_CREATE, create],
  [FuseOpcode.FUSE_READ, read],
  [FuseOpcode.FUSE_READDIR, readDirectory],
  [FuseOpcode.FUSE_WRITE, write],
  [FuseOpcode.FUSE_RELEASE, release],
  [FuseOpcode.FUSE_RELEASEDIR, release],
  [FuseOpcode.FUSE_STATFS, statistics],
  [FuseOpcode.FUSE_FLUSH, nothingToDo],
  [FuseOpcode.FUSE_FSYNC, nothingToDo],
  [FuseOpcode.FUSE_FSYNCDIR, nothingToDo],
  [FuseOpcode.FUSE_SYNCFS, nothingToDo],
]);

/** The rest of the reply; undefined when there is to be none. Throws FsError; WireError where the request is cut short. */
export function carryOut(session: FuseSession, request: FuseRequest): Uint8Array | undefined {
  const handler = HANDLERS.get(request.header.opcode);
  if (handler === undefined) throw new FsError(Errno.ENOSYS, `opcode ${request.header.opcode}`);
  return handler(session, request);
}

function lookup(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const [name] = namesIn(body, 0, 1);
  return entryOf(session, session.tree.lookup(session.node(header.nodeid), name));
}

function forget(session: FuseSession, { header, body }: FuseRequest): undefined {
  const { nlookup } = readFuseForgetIn(new Reader(headOf(body, FUSE_FORGET_IN_SIZE)), session.littleEndian);
  session.forget(header.nodeid, nlookup);
}

function forgetMany(session: FuseSession, { body }: FuseRequest): undefined {
  for (const { nodeid, nlookup } of decodeFuseBatchForget(body, session.littleEndian).nodes) {
    session.forget(nodeid, nlookup);
  }
}

function getAttributes(session: FuseSession, { header }: FuseRequest): Uint8Array {
  return attributesOf(session, session.node(header.nodeid));
}

function setAttributes(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const wanted = readFuseSetattrIn(new Reader(headOf(body, FUSE_SETATTR_IN_SIZE)), session.littleEndian);
  const node = session.node(header.nodeid);
  const { tree } = session;
  const has = (mask: number): boolean => (wanted.valid & mask) !== 0;
  const change: Partial<Attributes> = {};
  if (has(FuseSetattrValid.FATTR_MODE)) {
    change.mode = (node.mode & ~PERMISSIONS) | (wanted.mode & PERMISSIONS);
  }
  if (has(FuseSetattrValid.FATTR_UID)) change.uid = wanted.uid;
  if (has(FuseSetattrValid.FATTR_GID)) change.gid = wanted.gid;
  if (has(FuseSetattrValid.FATTR_ATIME)) change.atime = secondsOf(wanted.atime);
  if (has(FuseSetattrValid.FATTR_MTIME)) change.mtime = secondsOf(wanted.mtime);
  if (has(FuseSetattrValid.FATTR_ATIME_NOW)) change.atime = tree.now();
  if (has(FuseSetattrValid.FATTR_MTIME_NOW)) change.mtime = tree.now();
  // The size first: it is the only one that can fail.
  if (has(FuseSetattrValid.FATTR_SIZE)) tree.truncate(node, offsetOf(wanted.size));
  tree.change(node, change);
  return attributesOf(session, node);
}

function makeDirectory(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const { mode, umask } = readFuseMkdirIn(new Reader(headOf(body, FUSE_MKDIR_IN_SIZE)), session.littleEndian);
  const [name] = namesIn(body, FUSE_MKDIR_IN_SIZE, 1);
  const owner = { mode: mode & ~umask, uid: header.uid, gid: header.gid };
  return entryOf(session, session.tree.createDirectory(session.node(header.nodeid), name, owner));
}

function unlink(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const [name] = namesIn(body, 0, 1);
  session.tree.removeFile(session.node(header.nodeid), name);
  return NOTHING;
}

function removeDirectory(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const [name] = namesIn(body, 0, 1);
  session.tree.removeDirectory(session.node(header.nodeid), name);
  return NOTHING;
}

function rename(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const { newdir } = readFuseRenameIn(new Reader(headOf(body, FUSE_RENAME_IN_SIZE)), session.littleEndian);
  const [name, newName] = namesIn(body, FUSE_RENAME_IN_SIZE, 2);
  session.tree.rename(session.node(header.nodeid), name, session.node(newdir), newName);
  return NOTHING;
}

function open(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const { flags } = readFuseOpenIn(new Reader(headOf(body, FUSE_OPEN_IN_SIZE)), session.littleEndian);
  const node = session.node(header.nodeid);
  if (header.opcode === FuseOpcode.FUSE_OPENDIR) asDirectory(node);
  else asFile(node);
  const handle = session.opened(header.nodeid, flags);
  if (node.kind === "file" && (flags & O_TRUNC) !== 0) session.tree.truncate(node, 0);
  return openOf(session, handle);
}

function create(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const { flags, mode, umask } = readFuseCreateIn(
    new Reader(headOf(body, FUSE_CREATE_IN_SIZE)),
    session.littleEndian,
  );
  const [name] = namesIn(body, FUSE_CREATE_IN_SIZE, 1);
  const parent = session.node(header.nodeid);
  const existing = asDirectory(parent).entries.get(name)?.node;
  if (existing !== undefined && (flags & O_EXCL) !== 0) throw new FsError(Errno.EEXIST, name);
  const owner = { mode: mode & ~umask, uid: header.uid, gid: header.gid };
  const file = existing ?? session.tree.createFile(parent, name, owner);
  asFile(file);
  if ((flags & O_TRUNC) !== 0) session.tree.truncate(file, 0);
  const entry = entryOf(session, file);
  const opened = openOf(session, session.opened(session.know(file).id, flags));
  const reply = new Uint8Array(entry.length + opened.length);
  reply.set(entry);
  reply.set(opened, entry.length);
  return reply;
}

function read(session: FuseSession, { header, body, room }: FuseRequest): Uint8Array {
  const { fh, offset, size } = readFuseReadIn(
    new Reader(headOf(body, FUSE_READ_IN_SIZE)),
    session.littleEndian,
  );
  const { node, flags } = session.handle(fh, header.nodeid);
  if ((flags & O_ACCMODE) === O_WRONLY) throw new FsError(Errno.EBADF, "open for writing only");
  return session.tree.read(node, offsetOf(offset), Math.min(size, room));
}

function readDirectory(session: FuseSession, { header, body, room }: FuseRequest): Uint8Array {
  const { fh, offset, size } = readFuseReadIn(
    new Reader(headOf(body, FUSE_READ_IN_SIZE)),
    session.littleEndian,
  );
  const { node } = session.handle(fh, header.nodeid);
  return directoryPage(session.tree, node, offsetOf(offset), Math.min(size, room), session.littleEndian);
}

function write(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const { fh, offset, size } = readFuseWriteIn(
    new Reader(headOf(body, FUSE_WRITE_IN_SIZE)),
    session.littleEndian,
  );
  const { node, flags } = session.handle(fh, header.nodeid);
  if ((flags & O_ACCMODE) === O_RDONLY) throw new FsError(Errno.EBADF, "open for reading only");
  const bytes = body.subarray(FUSE_WRITE_IN_SIZE, FUSE_WRITE_IN_SIZE + size);
  if (bytes.length !== size) throw new FsError(Errno.EINVAL, `${bytes.length} of ${size} bytes are there`);
  session.tree.write(node, offsetOf(offset), bytes);
  return encodeFuseWriteOut({ size }, session.littleEndian);
}

function release(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const { fh } = readFuseReleaseIn(new Reader(headOf(body, FUSE_RELEASE_IN_SIZE)), session.littleEndian);
  session.release(fh, header.nodeid);
  return NOTHING;
}

function statistics({ tree, littleEndian }: FuseSession): Uint8Array {
  const blocks = (bytes: number): bigint => BigInt(Math.floor(bytes / BLOCK));
  const free = blocks(tree.capacity - tree.used);
  return encodeFuseKstatfs(
    {
      blocks: blocks(tree.capacity),
      bfree: free,
      bavail: free,
      files: BigInt(tree.maxNodes),
      ffree: BigInt(tree.maxNodes - tree.count),
      bsize: BLOCK,
      namelen: NAME_MAX,
      frsize: BLOCK,
    },
    littleEndian,
  );
}

/** Everything is in the tree at once. */
function nothingToDo(): Uint8Array {
  return NOTHING;
}

/** The node with its attributes: one more look-up. */
function entryOf(session: FuseSession, node: TreeNode): Uint8Array {
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

function attributesOf({ littleEndian }: FuseSession, node: TreeNode): Uint8Array {
  return encodeFuseAttrOut({ attrValid: 0n, attrValidNsec: 0, attr: attrOf(node) }, littleEndian);
}

function openOf({ littleEndian }: FuseSession, { id }: Handle): Uint8Array {
  return encodeFuseOpenOut({ fh: id, openFlags: 0, backingId: 0 }, littleEndian);
}

function attrOf(node: TreeNode): FuseAttr {
  const size = node.kind === "file" ? node.size : BLOCK;
  const links = node.kind === "file" ? 1 : 2;
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

/** @throws FsError when the request is shorter. */
function headOf(body: Uint8Array, size: number): Uint8Array {
  if (body.length < size) throw new FsError(Errno.EINVAL, `${body.length} bytes of ${size}`);
  return body.subarray(0, size);
}

/** Names that follow each other, each ended by a NUL. @throws FsError */
function namesIn(body: Uint8Array, start: number, count: 1): [string];
function namesIn(body: Uint8Array, start: number, count: 2): [string, string];
function namesIn(body: Uint8Array, start: number, count: number): string[] {
  const names: string[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    const end = body.indexOf(0, at);
    if (end < 0) throw new FsError(Errno.EINVAL, "a name without an end");
    if (end - at > NAME_MAX) throw new FsError(Errno.ENAMETOOLONG, `${end - at} bytes`);
    try {
      names.push(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body.subarray(at, end)));
    } catch {
      throw new FsError(Errno.EILSEQ, "a name that is not UTF-8");
    }
    at = end + 1;
  }
  return names;
}

/** @throws FsError above 2^53. */
function offsetOf(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new FsError(Errno.EINVAL, `${value} bytes`);
  return number;
}

/** A time as it can be kept. */
function secondsOf(value: bigint): number {
  return Number(BigInt.asUintN(48, value));
}
