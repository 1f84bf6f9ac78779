/**
 * Owner of descriptors and mappings: all that it gives out is closed with it, so a connection that ends, however it
 * ends, leaves nothing open. What belongs together (a connection, a test) has a System of its own.
 */
import { ftruncateSync } from "node:fs";
import { Descriptor } from "./descriptor.js";
import { Mapping } from "./mapping.js";
import { loadNative, type Native } from "./native.js";
import { UnixListener, UnixSocket } from "./socket.js";

/** Something that has to be closed. */
export interface Closable {
  close(): void;
}

export class System {
  readonly native: Native;
  private readonly owned = new Set<Closable>();

  /** Use `openSystem`. */
  constructor(native: Native) {
    this.native = native;
  }

  /** How many descriptors and mappings are open. */
  get open(): number {
    return this.owned.size;
  }

  /** Takes a thing over, to close it with the rest. Gives what it was given. */
  own<T extends Closable>(thing: T): T {
    this.owned.add(thing);
    return thing;
  }

  /** A thing was closed by itself. */
  disown(thing: Closable): void {
    this.owned.delete(thing);
  }

  /** Closes everything. May be called again. */
  close(): void {
    for (const thing of [...this.owned].reverse()) thing.close();
  }

  /**
   * Waits for connections at a path, which must not exist.
   * @throws SystemCallError, e.g. EADDRINUSE
   */
  listen(path: string): UnixListener {
    return this.own(new UnixListener(this, this.native.listen(path), path));
  }

  /** @throws SystemCallError at once: ENOENT, ECONNREFUSED, or EAGAIN when too many are waiting. */
  connect(path: string): UnixSocket {
    return this.own(new UnixSocket(this, this.native.connect(path)));
  }

  /** Two sockets that are connected to each other. */
  socketPair(): readonly [UnixSocket, UnixSocket] {
    const [a, b] = this.native.socketpair();
    return [this.own(new UnixSocket(this, a)), this.own(new UnixSocket(this, b))];
  }

  /** What came as a descriptor and should be a socket, which the first use tells. The descriptor is closed. */
  asSocket(descriptor: Descriptor): UnixSocket {
    return this.own(new UnixSocket(this, descriptor.release()));
  }

  /** A pipe: the end to read from, and the end to write to. */
  pipe(): readonly [Descriptor, Descriptor] {
    const [a, b] = this.native.pipe();
    return [this.own(new Descriptor(this, a)), this.own(new Descriptor(this, b))];
  }

  /** See Descriptor.signal and Descriptor.clear. */
  eventfd(initial = 0): Descriptor {
    return this.own(new Descriptor(this, this.native.eventfd(initial)));
  }

  /** Memory that can be passed to another process; `length` in bytes, all of them zero. */
  memfd(name: string, length: number): Descriptor {
    const descriptor = this.own(new Descriptor(this, this.native.memfd(name)));
    ftruncateSync(descriptor.fd, length);
    return descriptor;
  }

  /**
   * Gives up the space of part of a file, which reads as zeros then. False where the file system cannot.
   * @throws SystemCallError
   */
  punchHole(fd: number, offset: number, length: number): boolean {
    return this.native.punchHole(fd, offset, length);
  }

  /**
   * Maps part of a file or memfd, shared and writable. The descriptor can be closed afterwards.
   * @throws RangeError when the file is shorter; SystemCallError
   */
  map(descriptor: Descriptor, offset: number, length: number): Mapping {
    return this.own(Mapping.of(this, descriptor, offset, length));
  }
}

/** @throws NoSystemCallsError when koffi is not installed, or when this is not Linux. */
export async function openSystem(): Promise<System> {
  return new System(await loadNative());
}
