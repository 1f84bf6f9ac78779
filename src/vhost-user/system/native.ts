/**
 * The system calls themselves, through koffi. The only file that knows it: what koffi gets wrong (several mistakes end
 * the process, see descriptor.ts and mapping.ts) is kept from happening in the files around this one.
 */
import { NoSystemCallsError, SystemCallError } from "./errors.js";

/** @source Linux, asm-generic headers; the same for all machines that Node runs on. */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_FLAGS = 0o2000000 | 0o4000; // SOCK_CLOEXEC, SOCK_NONBLOCK
const EFD_FLAGS = SOCK_FLAGS; // EFD_CLOEXEC, EFD_NONBLOCK
const PIPE_FLAGS = SOCK_FLAGS; // O_CLOEXEC, O_NONBLOCK
const O_NONBLOCK = 0o4000;
const MFD_CLOEXEC = 1;
const F_GETFL = 3;
const F_SETFL = 4;
const PROT_READ_WRITE = 1 | 2;
const MAP_SHARED_NORESERVE = 0x1 | 0x4000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const EPOLL_CTL_ADD = 1;
const FALLOC_FLAGS = 0x1 | 0x2; // FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE
/** Connections that wait to be accepted. */
const BACKLOG = 16;
/** As large as an epoll_event is anywhere; all bits zero: no events. */
const NO_EVENTS = new Uint8Array(16);
const SUN_PATH_BYTES = 108;

/** The kernel passes no more descriptors at once. @source Linux, include/net/scm.h */
const SCM_MAX_FD = 253;
/** Bytes that one call sends or receives at most. */
const MAX_TRANSFER = 64 * 1024;

/** What one recvmsg has brought. */
interface Received {
  /** None: the other side has closed. A copy. */
  readonly bytes: Uint8Array;
  readonly fds: readonly number[];
  /** More descriptors came than there was room for, here or in the process's table: the rest is lost. */
  readonly truncated: boolean;
}

/** What is watched, and what has happened. */
export interface PollEvents {
  readonly readable?: boolean;
  readonly writable?: boolean;
}

type PollListener = (status: number, events: PollEvents) => void;

export interface PollHandle {
  start(events: PollEvents): void;
  stop(): void;
  close(): void;
}

/** System calls by their names. They throw SystemCallError; `undefined` stands for EAGAIN. */
export interface Native {
  listen(path: string): number;
  connect(path: string): number;
  accept(fd: number): number | undefined;
  socketpair(): readonly [number, number];
  sendmsg(fd: number, bytes: Uint8Array, fds: readonly number[]): number | undefined;
  recvmsg(fd: number, length: number): Received | undefined;
  read(fd: number, into: Uint8Array): number | undefined;
  write(fd: number, bytes: Uint8Array): number | undefined;
  close(fd: number): void;
  pipe(): readonly [number, number];
  eventfd(initial: number): number;
  memfd(name: string): number;
  mmap(fd: number, length: number): bigint;
  munmap(address: bigint, length: number): void;
  /** Memory in place. At most 4 GiB: more ends the process. */
  view(address: bigint, length: number): ArrayBuffer;
  /** False where the file system has no holes. */
  punchHole(fd: number, offset: number, length: number): boolean;
  setNonBlocking(fd: number, on: boolean): void;
  /** Whether the kernel can tell when the descriptor is ready; of a regular file it cannot. */
  canPoll(fd: number): boolean;
  /** Ends the process when `canPoll` is false, or when the descriptor has a handle already. */
  poll(fd: number, events: PollEvents, listener: PollListener): PollHandle;
}

type Koffi = typeof import("koffi");

let loaded: Promise<Native> | undefined;

/** Loads koffi the first time. @throws NoSystemCallsError when there is none, or when this is not Linux. */
export function loadNative(): Promise<Native> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Native> {
  if (process.platform !== "linux") {
    throw new NoSystemCallsError(
      "platform",
      `vhost-user needs Linux: descriptors cannot be passed on ${process.platform}`,
    );
  }
  try {
    return bind(await import("koffi"));
  } catch (cause) {
    throw new NoSystemCallsError(
      "koffi",
      "vhost-user needs the optional package koffi, which is not installed: npm install koffi",
      cause,
    );
  }
}

function bind(koffi: Koffi): Native {
  const libc = koffi.load(null);
  const errnoNames = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));

  // What C's compiler would lay out: koffi knows sizes, offsets and padding of this machine.
  const iovec = koffi.struct({ base: "uintptr_t", length: "size_t" });
  const msghdr = koffi.struct({
    name: "uintptr_t",
    nameLength: "uint32_t",
    iov: "uintptr_t",
    iovLength: "size_t",
    control: "uintptr_t",
    controlLength: "size_t",
    flags: "int",
  });
  const cmsghdr = koffi.struct({ length: "size_t", level: "int", type: "int" });
  const sockaddr = koffi.struct({
    family: "uint16_t",
    path: koffi.array("uint8_t", SUN_PATH_BYTES, "Typed"),
  });
  const sockaddrPointer = koffi.pointer(sockaddr);

  const calls = {
    socket: libc.func("socket", "int", ["int", "int", "int"]),
    bind: libc.func("bind", "int", ["int", sockaddrPointer, "uint32_t"]),
    listen: libc.func("listen", "int", ["int", "int"]),
    connect: libc.func("connect", "int", ["int", sockaddrPointer, "uint32_t"]),
    accept4: libc.func("accept4", "int", ["int", "uintptr_t", "uintptr_t", "int"]),
    socketpair: libc.func("socketpair", "int", ["int", "int", "int", "void *"]),
    sendmsg: libc.func("sendmsg", "intptr_t", ["int", "uintptr_t", "int"]),
    recvmsg: libc.func("recvmsg", "intptr_t", ["int", "uintptr_t", "int"]),
    read: libc.func("read", "intptr_t", ["int", "void *", "size_t"]),
    write: libc.func("write", "intptr_t", ["int", "void *", "size_t"]),
    close: libc.func("close", "int", ["int"]),
    pipe2: libc.func("pipe2", "int", ["void *", "int"]),
    eventfd: libc.func("eventfd", "int", ["uint", "int"]),
    memfd_create: libc.func("memfd_create", "int", ["str", "uint"]),
    mmap: libc.func("mmap", "intptr_t", ["uintptr_t", "size_t", "int", "int", "int", "int64_t"]),
    munmap: libc.func("munmap", "int", ["uintptr_t", "size_t"]),
    fallocate: libc.func("fallocate", "int", ["int", "int", "int64_t", "int64_t"]),
    fcntl: libc.func("fcntl", "int", ["int", "int", "int"]),
    epoll_create1: libc.func("epoll_create1", "int", ["int"]),
    epoll_ctl: libc.func("epoll_ctl", "int", ["int", "int", "int", "void *"]),
  };

  const fail = (name: string, about?: string): never => {
    const errno = koffi.errno();
    throw new SystemCallError(name, errnoNames.get(errno) ?? `errno ${errno}`, about);
  };
  /** A call's result; throws when it has failed. */
  const must = (name: keyof typeof calls, args: readonly unknown[], about?: string): number => {
    const result = Number(calls[name](...args));
    return result < 0 ? fail(name, about) : result;
  };
  /** The same of a call that would wait: undefined when there is nothing yet. */
  const may = (name: keyof typeof calls, args: readonly unknown[]): number | undefined => {
    const result = Number(calls[name](...args));
    if (result >= 0) return result;
    return koffi.errno() === koffi.os.errno["EAGAIN"] ? undefined : fail(name);
  };
  const pairOf = (name: keyof typeof calls, ...args: readonly unknown[]): readonly [number, number] => {
    const fds = new Int32Array(2);
    must(name, [...args, fds, ...(name === "pipe2" ? [PIPE_FLAGS] : [])]);
    return [fds[0] as number, fds[1] as number];
  };
  const addressOf = (path: string): { family: number; path: Uint8Array } => {
    const bytes = new Uint8Array(SUN_PATH_BYTES);
    const { read, written } = new TextEncoder().encodeInto(path, bytes.subarray(0, -1));
    if (read < path.length || written === 0) {
      throw new RangeError(`a socket's path has 1 to ${SUN_PATH_BYTES - 1} bytes: ${path}`);
    }
    return { family: AF_UNIX, path: bytes };
  };
  /** Binds or connects a new socket, and leaves nothing open when that fails. */
  const socketAt = (name: "bind" | "connect", path: string): number => {
    const address = addressOf(path);
    const fd = must("socket", [AF_UNIX, SOCK_STREAM | SOCK_FLAGS, 0]);
    try {
      must(name, [fd, address, koffi.sizeof(sockaddr)], path);
      return fd;
    } catch (error) {
      calls.close(fd);
      throw error;
    }
  };

  // One block at an address that never moves, for what sendmsg and recvmsg point at: header, vector, control, data.
  const align = (size: number): number => Math.ceil(size / 8) * 8;
  const vectorAt = align(koffi.sizeof(msghdr));
  const controlAt = vectorAt + align(koffi.sizeof(iovec));
  const fdsAt = controlAt + align(koffi.sizeof(cmsghdr));
  const dataAt = align(fdsAt + SCM_MAX_FD * Int32Array.BYTES_PER_ELEMENT);
  const block: bigint = koffi.alloc("uint8_t", dataAt + MAX_TRANSFER);
  const memory = koffi.view(block, dataAt + MAX_TRANSFER);
  const fdSlots = new Int32Array(memory, fdsAt, SCM_MAX_FD);
  const data = new Uint8Array(memory, dataAt, MAX_TRANSFER);
  const prepare = (length: number, controlLength: number): void => {
    koffi.encode(block, vectorAt, iovec, { base: block + BigInt(dataAt), length });
    koffi.encode(block, msghdr, {
      name: 0,
      nameLength: 0,
      iov: block + BigInt(vectorAt),
      iovLength: 1,
      control: controlLength === 0 ? 0 : block + BigInt(controlAt),
      controlLength,
      flags: 0,
    });
  };
  const controlHead = fdsAt - controlAt;
  /** The descriptors that the last recvmsg has brought. Without SO_PASSCRED there is one control message at most. */
  const receivedFds = (controlLength: number): number[] => {
    if (controlLength < controlHead) return [];
    const { length, level, type } = koffi.decode(block, controlAt, cmsghdr);
    if (level !== SOL_SOCKET || type !== SCM_RIGHTS) return [];
    return Array.from(fdSlots.subarray(0, (Number(length) - controlHead) / Int32Array.BYTES_PER_ELEMENT));
  };

  return {
    listen: (path) => {
      const fd = socketAt("bind", path);
      must("listen", [fd, BACKLOG], path);
      return fd;
    },
    connect: (path) => socketAt("connect", path),
    accept: (fd) => may("accept4", [fd, 0, 0, SOCK_FLAGS]),
    socketpair: () => pairOf("socketpair", AF_UNIX, SOCK_STREAM | SOCK_FLAGS, 0),
    sendmsg: (fd, bytes, fds) => {
      const length = Math.min(bytes.length, MAX_TRANSFER);
      const rights = controlHead + fds.length * Int32Array.BYTES_PER_ELEMENT;
      data.set(bytes.subarray(0, length));
      if (fds.length > 0) {
        koffi.encode(block, controlAt, cmsghdr, { length: rights, level: SOL_SOCKET, type: SCM_RIGHTS });
        fdSlots.set(fds);
      }
      prepare(length, fds.length === 0 ? 0 : align(rights));
      return may("sendmsg", [fd, block, MSG_NOSIGNAL]);
    },
    recvmsg: (fd, length) => {
      prepare(Math.min(length, MAX_TRANSFER), dataAt - controlAt);
      const size = may("recvmsg", [fd, block, MSG_CMSG_CLOEXEC]);
      if (size === undefined) return undefined;
      const { controlLength, flags } = koffi.decode(block, msghdr);
      return {
        bytes: data.slice(0, size),
        fds: receivedFds(Number(controlLength)),
        truncated: (flags & MSG_CTRUNC) !== 0,
      };
    },
    read: (fd, into) => may("read", [fd, into, into.length]),
    write: (fd, bytes) => may("write", [fd, bytes, bytes.length]),
    close: (fd) => {
      must("close", [fd]);
    },
    pipe: () => pairOf("pipe2"),
    eventfd: (initial) => must("eventfd", [initial, EFD_FLAGS]),
    memfd: (name) => must("memfd_create", [name, MFD_CLOEXEC], name),
    mmap: (fd, length) => BigInt(must("mmap", [0, length, PROT_READ_WRITE, MAP_SHARED_NORESERVE, fd, 0])),
    munmap: (address, length) => {
      must("munmap", [address, length]);
    },
    punchHole: (fd, offset, length) => {
      if (Number(calls.fallocate(fd, FALLOC_FLAGS, offset, length)) === 0) return true;
      return koffi.errno() === koffi.os.errno["EOPNOTSUPP"] ? false : fail("fallocate");
    },
    view: (address, length) => koffi.view(address, length),
    setNonBlocking: (fd, on) => {
      const flags = must("fcntl", [fd, F_GETFL, 0]);
      const wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
      if (wanted !== flags) must("fcntl", [fd, F_SETFL, wanted]);
    },
    canPoll: (fd) => {
      const epoll = must("epoll_create1", [0]);
      const result = Number(calls.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, NO_EVENTS));
      calls.close(epoll);
      return result === 0;
    },
    poll: (fd, events, listener) => {
      // koffi declares a listener of one argument, and calls it with two.
      const called = (...args: unknown[]): void => listener(args[0] as number, args[1] as PollEvents);
      const handle = koffi.node.poll(fd, events, called);
      return {
        start: (changed) => handle.start(changed, called),
        stop: () => handle.stop(),
        close: () => handle.close(),
      };
    },
  };
}
