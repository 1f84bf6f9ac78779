/**
 * FUSE requests carried out on a tree. What a request takes comes as a copy, which the guest cannot change any more; what
 * it gives is bounded by the room that the driver has left for it.
 * @source linux/fuse.h; virtio 1.4, Device Operation (device-types/fs/description.tex)
 */
import {
  decodeFuseBatchForget,
  encodeFuseKstatfs,
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
import { headOf, NAME_MAX, namesIn, offsetOf, secondsOf, textIn } from "./bodies.js";
import { directoryPage } from "./directory.js";
import { Errno, FsError } from "./error.js";
import { attributesOf, BLOCK, entryOf, openOf } from "./replies.js";
import type { FuseSession } from "./session.js";
import { type Attributes, asDirectory, asFile, PERMISSIONS } from "./tree.js";

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
  [FuseOpcode.FUSE_READLINK, readLink],
  [FuseOpcode.FUSE_SYMLINK, makeLink],
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

function readLink(session: FuseSession, { header }: FuseRequest): Uint8Array {
  const node = session.node(header.nodeid);
  if (node.kind !== "link") throw new FsError(Errno.EINVAL, "no symbolic link");
  return node.target.slice();
}

/** The name comes first, then what it leads to. */
function makeLink(session: FuseSession, { header, body }: FuseRequest): Uint8Array {
  const [name] = namesIn(body, 0, 1);
  const target = textIn(body, body.indexOf(0) + 1);
  const parent = session.node(header.nodeid);
  return entryOf(
    session,
    session.tree.createLink(parent, name, target, { uid: header.uid, gid: header.gid }),
  );
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
