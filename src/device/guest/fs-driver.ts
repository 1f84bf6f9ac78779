/** A guest's file system driver: FUSE requests out, replies in. Names and numbers are those of the protocol. */
import { VirtioFsFeature } from "../../../generated/virtio/features.js";
import {
  decodeFuseDirents,
  encodeFuseBatchForget,
  encodeFuseCreateIn,
  encodeFuseForgetIn,
  encodeFuseGetattrIn,
  encodeFuseInHeader,
  encodeFuseInitIn,
  encodeFuseInterruptIn,
  encodeFuseMkdirIn,
  encodeFuseOpenIn,
  encodeFuseReadIn,
  encodeFuseReleaseIn,
  encodeFuseRenameIn,
  encodeFuseWriteIn,
  FUSE_ENTRY_OUT_SIZE,
  FUSE_IN_HEADER_SIZE,
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_VERSION,
  FUSE_OUT_HEADER_SIZE,
  type FuseAttr,
  type FuseEntryOut,
  type FuseInitOut,
  type FuseKstatfs,
  FuseOpcode,
  readFuseAttrOut,
  readFuseEntryOut,
  readFuseInitOut,
  readFuseKstatfs,
  readFuseOpenOut,
  readFuseOutHeader,
  readFuseWriteOut,
} from "../../../generated/virtio/fuse.js";
import { Reader } from "../../runtime/index.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import type { Allocator } from "./allocator.js";
import { type DeviceBus, GuestDriver } from "./guest-driver.js";

const HIPRIO = 0;
const NOTIFICATIONS = 1;
const PAGE = 4096;
const NOTHING = new Uint8Array(0);

export interface FsReply {
  /** Of the request; 0 for a notification, whose code is `error`. */
  readonly unique: bigint;
  /** Zero, or an errno below zero. */
  readonly error: number;
  /** Behind the header. */
  readonly data: Uint8Array;
}

/** The device has refused a request. */
export class FuseError extends Error {
  /** As Linux numbers them, above zero. */
  readonly errno: number;

  constructor(opcode: number, errno: number) {
    super(`request ${opcode} failed: errno ${errno}`);
    this.name = "FuseError";
    this.errno = errno;
  }
}

interface Sent {
  readonly unique: bigint;
  readonly slot: number;
  /** No reply follows: the buffer comes back as it was. */
  readonly silent: boolean;
}

export interface FsDriverOptions {
  /** Requests that can be under way at a time. */
  readonly slots?: number;
  /** The largest body of a request, and of a reply. */
  readonly bodySize?: number;
  readonly without?: bigint;
  /** The byte order of the guest. */
  readonly littleEndian?: boolean;
}

export class FsDriver {
  readonly driver: GuestDriver;
  readonly hasNotifications: boolean;
  private memory: GuestMemory;
  private readonly littleEndian: boolean;
  private readonly bodySize: number;
  private readonly slotBytes: number;
  private readonly base: number;
  private readonly slots: number[];
  private readonly sent = new Map<string, Sent>();
  private nextUnique = 2n;

  constructor(bus: DeviceBus, memory: GuestMemory, allocator: Allocator, options: FsDriverOptions = {}) {
    const { slots = 8, bodySize = PAGE, without = 0n, littleEndian = true } = options;
    this.memory = memory;
    const wanted = Object.values(VirtioFsFeature).reduce((all, bit) => all | BigInt(bit), 0n);
    this.driver = new GuestDriver(bus, memory, allocator, wanted & ~without);
    this.hasNotifications = (this.driver.features & VirtioFsFeature.VIRTIO_FS_F_NOTIFICATION) !== 0n;
    this.littleEndian = littleEndian;
    this.bodySize = bodySize;
    this.slotBytes = FUSE_IN_HEADER_SIZE + bodySize + FUSE_OUT_HEADER_SIZE + bodySize;
    this.base = allocator.take(this.slotBytes * slots, PAGE);
    this.slots = Array.from({ length: slots }, (_, i) => i);
  }

  /** The guest has moved to another host. */
  attach(bus: DeviceBus, memory: GuestMemory): void {
    this.memory = memory;
    this.driver.attach(bus, memory);
  }

  /** The first queue for requests that may wait. */
  get requestQueue(): number {
    return this.hasNotifications ? 2 : 1;
  }

  get outstanding(): number {
    return this.sent.size;
  }

  // Requests by themselves.

  /** Gives the request's number; undefined when there is no room for it now. */
  send(
    opcode: number,
    nodeid: bigint,
    body: Uint8Array = NOTHING,
    queue = this.requestQueue,
  ): bigint | undefined {
    const silent = SILENT.has(opcode);
    const unique = this.nextUnique;
    const header = encodeFuseInHeader(
      {
        len: FUSE_IN_HEADER_SIZE + body.length,
        opcode,
        unique,
        nodeid,
        uid: 0,
        gid: 0,
        pid: 1,
        totalExtlen: 0,
      },
      this.littleEndian,
    );
    if (body.length > this.bodySize) throw new RangeError(`a request of ${body.length} bytes`);
    const request = new Uint8Array(header.length + body.length);
    request.set(header);
    request.set(body, header.length);
    if (!this.place(queue, request, silent ? 0 : FUSE_OUT_HEADER_SIZE + this.bodySize, { unique, silent })) {
      return undefined;
    }
    this.nextUnique++;
    return unique;
  }

  /** Gives the device a buffer for a notification. False when there is no room for it. */
  offerNotification(): boolean {
    const size = FUSE_OUT_HEADER_SIZE + this.bodySize;
    return this.place(NOTIFICATIONS, NOTHING, size, { unique: 0n, silent: false });
  }

  /** The next reply or notification on any queue. */
  poll(): FsReply | undefined {
    for (const [index, queue] of this.driver.queues.entries()) {
      for (let used = queue.poll(); used !== undefined; used = queue.poll()) {
        const key = `${index}/${used.id}`;
        const sent = this.sent.get(key);
        if (sent === undefined) throw new Error(`buffer ${key} came back without having been sent`);
        this.sent.delete(key);
        this.slots.push(sent.slot);
        if (sent.silent) continue;
        const bytes = this.memory.read(this.replyAt(sent.slot), used.written);
        if (bytes.length < FUSE_OUT_HEADER_SIZE) throw new Error(`a reply of ${bytes.length} bytes`);
        const { len, error, unique } = readFuseOutHeader(new Reader(bytes), this.littleEndian);
        if (len !== bytes.length || unique !== sent.unique) {
          throw new Error(`the reply to ${sent.unique} says ${unique}, of ${len} bytes`);
        }
        return { unique, error, data: bytes.subarray(FUSE_OUT_HEADER_SIZE) };
      }
    }
    return undefined;
  }

  // Requests with their replies. They throw FuseError, and Error when the device has not answered yet.

  /** Begins the session. */
  init(minor = FUSE_KERNEL_MINOR_VERSION): FuseInitOut {
    const body = encodeFuseInitIn(
      { major: FUSE_KERNEL_VERSION, minor, maxReadahead: 1 << 17, flags: 0, flags2: 0 },
      this.littleEndian,
    );
    return this.read(FuseOpcode.FUSE_INIT, 0n, body, readFuseInitOut);
  }

  lookup(parent: bigint, name: string): FuseEntryOut {
    return this.read(FuseOpcode.FUSE_LOOKUP, parent, nameBytes(name), readFuseEntryOut);
  }

  attributes(nodeid: bigint): FuseAttr {
    const body = encodeFuseGetattrIn({ getattrFlags: 0, fh: 0n }, this.littleEndian);
    return this.read(FuseOpcode.FUSE_GETATTR, nodeid, body, readFuseAttrOut).attr;
  }

  /** Gives the handle. `flags`: as for open(2). */
  open(nodeid: bigint, flags = 0): bigint {
    const body = encodeFuseOpenIn({ flags, openFlags: 0 }, this.littleEndian);
    return this.read(FuseOpcode.FUSE_OPEN, nodeid, body, readFuseOpenOut).fh;
  }

  openDirectory(nodeid: bigint): bigint {
    const body = encodeFuseOpenIn({ flags: 0, openFlags: 0 }, this.littleEndian);
    return this.read(FuseOpcode.FUSE_OPENDIR, nodeid, body, readFuseOpenOut).fh;
  }

  create(parent: bigint, name: string, flags: number, mode = 0o644): { entry: FuseEntryOut; fh: bigint } {
    const head = encodeFuseCreateIn({ flags, mode, umask: 0, openFlags: 0 }, this.littleEndian);
    const data = this.call(FuseOpcode.FUSE_CREATE, parent, joined(head, nameBytes(name)));
    const entry = readFuseEntryOut(new Reader(data), this.littleEndian);
    const opened = readFuseOpenOut(new Reader(data.subarray(FUSE_ENTRY_OUT_SIZE)), this.littleEndian);
    return { entry, fh: opened.fh };
  }

  makeDirectory(parent: bigint, name: string, mode = 0o755): FuseEntryOut {
    const head = encodeFuseMkdirIn({ mode, umask: 0 }, this.littleEndian);
    return this.read(FuseOpcode.FUSE_MKDIR, parent, joined(head, nameBytes(name)), readFuseEntryOut);
  }

  removeFile(parent: bigint, name: string): void {
    this.call(FuseOpcode.FUSE_UNLINK, parent, nameBytes(name));
  }

  removeDirectory(parent: bigint, name: string): void {
    this.call(FuseOpcode.FUSE_RMDIR, parent, nameBytes(name));
  }

  rename(parent: bigint, name: string, newParent: bigint, newName: string): void {
    const head = encodeFuseRenameIn({ newdir: newParent }, this.littleEndian);
    this.call(FuseOpcode.FUSE_RENAME, parent, joined(head, nameBytes(name), nameBytes(newName)));
  }

  readFile(nodeid: bigint, fh: bigint, offset: number, size: number): Uint8Array {
    return this.call(FuseOpcode.FUSE_READ, nodeid, this.readBody(fh, BigInt(offset), size));
  }

  /** Names, with what to ask for to get those behind them; none at the end. `.` and `..` are among them. */
  readDirectory(
    nodeid: bigint,
    fh: bigint,
    after: bigint,
    size: number,
  ): readonly { name: string; off: bigint }[] {
    const data = this.call(FuseOpcode.FUSE_READDIR, nodeid, this.readBody(fh, after, size));
    const { entries } = decodeFuseDirents(data, this.littleEndian);
    return entries.map(({ name, off }) => ({ name: new TextDecoder().decode(name), off }));
  }

  /** Gives how many bytes were written. */
  writeFile(nodeid: bigint, fh: bigint, offset: number, bytes: Uint8Array): number {
    return this.read(FuseOpcode.FUSE_WRITE, nodeid, this.writeBody(fh, offset, bytes), readFuseWriteOut).size;
  }

  release(nodeid: bigint, fh: bigint): void {
    const body = encodeFuseReleaseIn({ fh, flags: 0, releaseFlags: 0, lockOwner: 0n }, this.littleEndian);
    this.call(FuseOpcode.FUSE_RELEASE, nodeid, body);
  }

  statistics(): FuseKstatfs {
    return this.read(FuseOpcode.FUSE_STATFS, 1n, NOTHING, readFuseKstatfs);
  }

  /** Takes look-ups back. There is no reply. */
  forget(nodeid: bigint, lookups: bigint): void {
    const body = encodeFuseForgetIn({ nlookup: lookups }, this.littleEndian);
    this.send(FuseOpcode.FUSE_FORGET, nodeid, body, HIPRIO);
  }

  forgetMany(nodes: readonly { readonly nodeid: bigint; readonly nlookup: bigint }[]): void {
    const body = encodeFuseBatchForget({ nodes: [...nodes] }, this.littleEndian);
    this.send(FuseOpcode.FUSE_BATCH_FORGET, 0n, body, HIPRIO);
  }

  /** Asks the device to give a request up that it has not carried out yet. There is no reply to this. */
  interrupt(unique: bigint): void {
    this.send(FuseOpcode.FUSE_INTERRUPT, 0n, encodeFuseInterruptIn({ unique }, this.littleEndian), HIPRIO);
  }

  // Bodies, for requests whose replies are awaited elsewhere.

  readBody(fh: bigint, offset: bigint, size: number): Uint8Array {
    return encodeFuseReadIn({ fh, offset, size, readFlags: 0, lockOwner: 0n, flags: 0 }, this.littleEndian);
  }

  writeBody(fh: bigint, offset: number, bytes: Uint8Array): Uint8Array {
    const head = encodeFuseWriteIn(
      { fh, offset: BigInt(offset), size: bytes.length, writeFlags: 0, lockOwner: 0n, flags: 0 },
      this.littleEndian,
    );
    return joined(head, bytes);
  }

  /** Sends a request and gives what its reply carries. */
  call(opcode: number, nodeid: bigint, body: Uint8Array): Uint8Array {
    const unique = this.send(opcode, nodeid, body);
    if (unique === undefined) throw new Error("there is no room for a request");
    const reply = this.poll();
    if (reply?.unique !== unique) throw new Error("the device has not answered yet");
    if (reply.error !== 0) throw new FuseError(opcode, -reply.error);
    return reply.data;
  }

  private read<T>(
    opcode: number,
    nodeid: bigint,
    body: Uint8Array,
    read: (reader: Reader, littleEndian: boolean) => T,
  ): T {
    return read(new Reader(this.call(opcode, nodeid, body)), this.littleEndian);
  }

  private replyAt(slot: number): number {
    return this.base + slot * this.slotBytes + FUSE_IN_HEADER_SIZE + this.bodySize;
  }

  private place(queue: number, request: Uint8Array, room: number, sent: Omit<Sent, "slot">): boolean {
    const [slot] = this.slots;
    const ring = this.driver.queues[queue];
    if (slot === undefined || ring === undefined) return false;
    const at = this.base + slot * this.slotBytes;
    this.memory.write(at, request);
    const id = ring.add({
      readable: request.length === 0 ? [] : [{ address: at, length: request.length }],
      writable: room === 0 ? [] : [{ address: this.replyAt(slot), length: room }],
    });
    if (id === undefined) return false;
    this.slots.shift();
    this.sent.set(`${queue}/${id}`, { ...sent, slot });
    this.driver.kick(queue);
    return true;
  }
}

const SILENT: ReadonlySet<number> = new Set<number>([
  FuseOpcode.FUSE_FORGET,
  FuseOpcode.FUSE_BATCH_FORGET,
  FuseOpcode.FUSE_INTERRUPT,
]);

function nameBytes(name: string): Uint8Array {
  return joined(new TextEncoder().encode(name), Uint8Array.of(0));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
