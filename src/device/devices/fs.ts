/**
 * A file system device on a tree in memory. FUSE requests come on request queues, what must not wait behind them on the
 * hiprio queue; with VIRTIO_FS_F_NOTIFICATION the device tells the driver of files that were changed behind its back.
 *
 * Requests are taken first and carried out later, one by one, so that a migration finds some in flight. The session, which
 * no register shows, is the device's internal state.
 * @source virtio 1.4, File System Device (device-types/fs/description.tex)
 */
import {
  decodeVirtioFsConfig,
  encodeVirtioFsConfig,
  type VirtioFsConfig,
} from "../../../generated/virtio/device-config.js";
import { VirtioFsFeature } from "../../../generated/virtio/features.js";
import {
  encodeFuseInitOut,
  encodeFuseNotifyInvalInodeOut,
  encodeFuseOutHeader,
  FUSE_IN_HEADER_SIZE,
  FUSE_INIT_IN_SIZE,
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_VERSION,
  FUSE_NOTIFY_INVAL_INODE_OUT_SIZE,
  FUSE_OUT_HEADER_SIZE,
  FUSE_WRITE_IN_SIZE,
  type FuseInHeader,
  FuseInitFlags,
  FuseNotifyCode,
  FuseOpcode,
  readFuseInHeader,
  readFuseInitIn,
  readFuseInterruptIn,
} from "../../../generated/virtio/fuse.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { Reader, WireError } from "../../runtime/index.js";
import type { DevicePort, DeviceType, InternalState } from "../member/device-type.js";
import type { DescriptorChain } from "../rings/chain.js";
import { Errno, FsError } from "./fs/error.js";
import { carryOut } from "./fs/requests.js";
import { FuseSession } from "./fs/session.js";
import { restoreSession, saveSession } from "./fs/state.js";
import type { FsTree } from "./fs/tree.js";

const { VIRTIO_FS_F_NOTIFICATION } = VirtioFsFeature;

/** What requests are read as before a session has begun. */
const LITTLE = true;
const HIPRIO = 0;
const NOTIFICATIONS = 1;
/** Pages of 4096 bytes that a request carries at most: FUSE_MAX_MAX_PAGES of Linux. */
const MAX_PAGES = 256;
const MAX_WRITE = MAX_PAGES * 4096;
/** The longest request that is read at all. */
const MAX_REQUEST = FUSE_IN_HEADER_SIZE + FUSE_WRITE_IN_SIZE + MAX_WRITE;
const NOTIFICATION_SIZE = FUSE_OUT_HEADER_SIZE + FUSE_NOTIFY_INVAL_INODE_OUT_SIZE;
/** Changes that the driver has not been told of, beyond which the oldest are dropped: they are only hints. */
const MAX_NOTIFICATIONS = 1024;
/** The first version whose reply to FUSE_INIT has all of its fields, and the one before it. */
const FULL_INIT_MINOR = 23;
const MEDIUM_INIT_MINOR = 5;
/** @source linux/fuse.h, FUSE_COMPAT_INIT_OUT_SIZE and FUSE_COMPAT_22_INIT_OUT_SIZE */
const SHORT_INIT_SIZE = 8;
const MEDIUM_INIT_SIZE = 24;

export interface FsOptions {
  readonly tree: FsTree;
  /** At most 36 bytes of UTF-8. */
  readonly tag?: string;
  readonly requestQueues?: number;
  readonly queueSize?: number;
  /** Requests that are taken before the first of them is carried out. */
  readonly depth?: number;
  /** Offer the notification queue. */
  readonly notifications?: boolean;
}

interface InFlight {
  readonly queue: number;
  readonly chain: DescriptorChain;
}

export class FsDevice implements DeviceType {
  readonly id: number = VirtioDeviceId.VIRTIO_ID_FS;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly internal: InternalState = {
    save: () => saveSession(this.session),
    verify: (state) => {
      restoreSession(state, this.tree)?.end();
    },
    restore: (state) => {
      this.session?.end();
      this.session = restoreSession(state, this.tree);
    },
  };
  /** Requests that were carried out. */
  completed = 0;
  private readonly tree: FsTree;
  private readonly tag: string;
  private readonly requestQueues: number;
  private readonly depth: number;
  private port: DevicePort | undefined;
  private session: FuseSession | undefined;
  private inFlight: InFlight[] = [];
  private notifications: Uint8Array[] = [];

  constructor(options: FsOptions) {
    const { tree, tag = "virtwire", requestQueues = 1, queueSize = 128, depth = 1, notifications } = options;
    if (requestQueues < 1) throw new RangeError("a file system device has at least one request queue");
    this.tree = tree;
    this.tag = tag;
    this.requestQueues = requestQueues;
    this.depth = depth;
    this.features = notifications ? VIRTIO_FS_F_NOTIFICATION : 0n;
    const count = 1 + (notifications ? 1 : 0) + requestQueues;
    this.queueSizes = Array.from({ length: count }, () => queueSize);
    // A tag that is too long is found here, and not when a driver asks for it.
    this.config();
  }

  config(): Uint8Array {
    // One byte a character: what `char` is in a schema.
    const tag = String.fromCharCode(...new TextEncoder().encode(this.tag));
    const config: VirtioFsConfig = { tag, numRequestQueues: this.requestQueues };
    if (this.features !== 0n) config.notifyBufSize = NOTIFICATION_SIZE;
    return encodeVirtioFsConfig(config);
  }

  /** The driver must not write to it. */
  writeConfig(): void {}

  /** @throws RangeError when the guest would have mounted another file system, or would miss queues. */
  verifyConfig(config: Uint8Array): void {
    const own = decodeVirtioFsConfig(this.config());
    const { tag, numRequestQueues } = decodeVirtioFsConfig(config);
    if (tag !== own.tag) throw new RangeError(`the file system ${tag}, here is ${own.tag}`);
    if (numRequestQueues !== own.numRequestQueues) {
      throw new RangeError(`${numRequestQueues} request queues, here are ${own.numRequestQueues}`);
    }
  }

  restoreConfig(): void {}

  start(port: DevicePort): void {
    this.port = port;
  }

  reset(): void {
    this.inFlight = [];
    this.notifications = [];
    this.port = undefined;
    this.session?.end();
    this.session = undefined;
  }

  resume(queue: number, chain: DescriptorChain): void {
    this.inFlight.push({ queue, chain });
  }

  serve(queue: number): boolean {
    const { port } = this;
    if (port === undefined) return false;
    if (queue === HIPRIO) return this.serveHiprio(port);
    if (queue === NOTIFICATIONS && port.has(VIRTIO_FS_F_NOTIFICATION)) return this.notify(port);
    if (this.inFlight.length < this.depth) {
      const chain = port.take(queue);
      if (chain !== undefined) {
        this.inFlight.push({ queue, chain });
        return true;
      }
    }
    return this.complete();
  }

  finish(): void {
    while (this.complete());
  }

  /** The host has changed a file: the driver is told, as soon as it has a buffer for that. */
  changedOutside(path: string): void {
    const node = this.tree.find(path);
    const id = node === undefined ? undefined : this.session?.idOf(node);
    if (id === undefined || !this.port?.has(VIRTIO_FS_F_NOTIFICATION)) return;
    const littleEndian = this.session?.littleEndian ?? LITTLE;
    const body = encodeFuseNotifyInvalInodeOut({ ino: id, off: 0n, len: 0n }, littleEndian);
    // A notification belongs to no request; its code stands where replies have their error.
    const code = FuseNotifyCode.FUSE_NOTIFY_INVAL_INODE;
    this.notifications.push(withHeader(code, 0n, body, littleEndian));
    if (this.notifications.length > MAX_NOTIFICATIONS) this.notifications.shift();
  }

  /** Never waits for requests on the other queues. */
  private serveHiprio(port: DevicePort): boolean {
    const chain = port.take(HIPRIO);
    if (chain === undefined) return false;
    this.answer({ queue: HIPRIO, chain });
    return true;
  }

  private notify(port: DevicePort): boolean {
    const [message] = this.notifications;
    const chain = message === undefined ? undefined : port.take(NOTIFICATIONS);
    if (message === undefined || chain === undefined) return false;
    this.notifications.shift();
    // A buffer that is shorter than the configuration asks for comes back empty.
    if (chain.writableLength >= message.length) chain.write(message);
    port.give(NOTIFICATIONS, chain);
    return true;
  }

  /** Carries out the first request in flight; false when there is none. */
  private complete(): boolean {
    const request = this.inFlight.shift();
    if (request === undefined) return false;
    this.answer(request);
    return true;
  }

  private answer(request: InFlight): void {
    this.give(request, this.replyTo(request.queue, request.chain));
    this.completed++;
  }

  /** A reply that there is no room for is left out. */
  private give({ queue, chain }: InFlight, reply: Uint8Array | undefined): void {
    if (reply !== undefined && chain.writableLength >= reply.length) chain.write(reply);
    this.port?.give(queue, chain);
  }

  /** Undefined: there is none, or no room for one. */
  private replyTo(queue: number, chain: DescriptorChain): Uint8Array | undefined {
    if (chain.readableLength < FUSE_IN_HEADER_SIZE) return undefined;
    const bytes = chain.read(0, Math.min(chain.readableLength, MAX_REQUEST));
    const littleEndian = this.orderOf(bytes);
    const header = readFuseInHeader(new Reader(bytes.subarray(0, FUSE_IN_HEADER_SIZE)), littleEndian);
    const room = Math.max(0, Math.min(chain.writableLength - FUSE_OUT_HEADER_SIZE, MAX_WRITE));
    try {
      if (header.len > bytes.length || header.len < FUSE_IN_HEADER_SIZE) {
        throw new FsError(Errno.EINVAL, `a request of ${header.len} bytes, here are ${bytes.length}`);
      }
      const body = bytes.subarray(FUSE_IN_HEADER_SIZE, header.len);
      const data = this.carriedOut(queue, header, body, room, littleEndian);
      if (data === undefined) return undefined;
      if (data.length > room) throw new FsError(Errno.EIO, `no room for ${data.length} bytes`);
      return withHeader(0, header.unique, data, littleEndian);
    } catch (error) {
      return withHeader(-errnoOf(error), header.unique, NOTHING, littleEndian);
    }
  }

  private carriedOut(
    queue: number,
    header: FuseInHeader,
    body: Uint8Array,
    room: number,
    littleEndian: boolean,
  ): Uint8Array | undefined {
    if (queue === HIPRIO && !ON_HIPRIO.has(header.opcode)) {
      throw new FsError(Errno.EINVAL, `opcode ${header.opcode} on the hiprio queue`);
    }
    switch (header.opcode) {
      case FuseOpcode.FUSE_INIT:
        return this.init(body, littleEndian);
      case FuseOpcode.FUSE_DESTROY:
        this.session?.end();
        this.session = undefined;
        return NOTHING;
      case FuseOpcode.FUSE_INTERRUPT:
        this.interrupt(body, littleEndian);
        return undefined;
      default:
        if (this.session === undefined) throw new FsError(Errno.EIO, "there is no session");
        return carryOut(this.session, { header, body, room });
    }
  }

  /** Begins a session; one that there was is over. */
  private init(body: Uint8Array, littleEndian: boolean): Uint8Array {
    // Older drivers send less: what is missing is zero.
    const whole = new Uint8Array(FUSE_INIT_IN_SIZE);
    whole.set(body.subarray(0, whole.length));
    const { major, minor, maxReadahead, flags } = readFuseInitIn(new Reader(whole), littleEndian);
    if (major < FUSE_KERNEL_VERSION) throw new FsError(Errno.EPROTO, `version ${major}`);
    const agreed = Math.min(minor, FUSE_KERNEL_MINOR_VERSION);
    this.session?.end();
    this.session = undefined;
    // A driver of a later version asks again, with ours.
    if (major === FUSE_KERNEL_VERSION) this.session = new FuseSession(this.tree, littleEndian, agreed);
    const reply = encodeFuseInitOut(
      {
        major: FUSE_KERNEL_VERSION,
        minor: FUSE_KERNEL_MINOR_VERSION,
        maxReadahead,
        flags: flags & (FuseInitFlags.FUSE_MAX_PAGES | FuseInitFlags.FUSE_BIG_WRITES),
        maxBackground: 0,
        congestionThreshold: 0,
        maxWrite: MAX_WRITE,
        timeGran: 1_000_000_000,
        maxPages: MAX_PAGES,
        mapAlignment: 0,
        flags2: 0,
        maxStackDepth: 0,
        requestTimeout: 0,
      },
      littleEndian,
    );
    if (agreed < MEDIUM_INIT_MINOR) return reply.subarray(0, SHORT_INIT_SIZE);
    return agreed < FULL_INIT_MINOR ? reply.subarray(0, MEDIUM_INIT_SIZE) : reply;
  }

  /** A request that has not been carried out yet comes back interrupted. */
  private interrupt(body: Uint8Array, littleEndian: boolean): void {
    const { unique } = readFuseInterruptIn(new Reader(body), littleEndian);
    const at = this.inFlight.findIndex(({ chain }) => {
      const head = chain.read(0, FUSE_IN_HEADER_SIZE);
      return (
        head.length === FUSE_IN_HEADER_SIZE &&
        readFuseInHeader(new Reader(head), littleEndian).unique === unique
      );
    });
    const [request] = at < 0 ? [] : this.inFlight.splice(at, 1);
    if (request === undefined) return;
    this.give(request, withHeader(-Errno.EINTR, unique, NOTHING, littleEndian));
  }

  /** Of the session, except that the request which begins one shows its own. True for little-endian. */
  private orderOf(bytes: Uint8Array): boolean {
    const { opcode } = readFuseInHeader(new Reader(bytes.subarray(0, FUSE_IN_HEADER_SIZE)), LITTLE);
    if (opcode === FuseOpcode.FUSE_INIT) return true;
    if (opcode === FuseOpcode.FUSE_INIT_BSWAP_RESERVED) return false;
    return this.session?.littleEndian ?? LITTLE;
  }
}

const NOTHING = new Uint8Array(0);
const ON_HIPRIO: ReadonlySet<number> = new Set<number>([
  FuseOpcode.FUSE_INTERRUPT,
  FuseOpcode.FUSE_FORGET,
  FuseOpcode.FUSE_BATCH_FORGET,
]);

function withHeader(error: number, unique: bigint, body: Uint8Array, littleEndian: boolean): Uint8Array {
  const header = encodeFuseOutHeader(
    { len: FUSE_OUT_HEADER_SIZE + body.length, error, unique },
    littleEndian,
  );
  const whole = new Uint8Array(header.length + body.length);
  whole.set(header);
  whole.set(body, header.length);
  return whole;
}

/** A request that cannot be read fails; anything else is a mistake of this program. */
function errnoOf(error: unknown): number {
  if (error instanceof FsError) return error.errno;
  if (error instanceof WireError) return Errno.EINVAL;
  throw error;
}
