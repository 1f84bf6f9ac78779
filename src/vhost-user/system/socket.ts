/**
 * UNIX stream sockets that carry descriptors. Node's own sockets read the bytes and drop the descriptors, so they are
 * of no use here.
 */
import { unlinkSync } from "node:fs";
import { Descriptor } from "./descriptor.js";
import { SystemCallError } from "./errors.js";
import type { System } from "./system.js";

/** What came in one piece. */
export interface Arrival {
  /** None: the other side has closed. */
  readonly bytes: Uint8Array;
  /** They came with one of the bytes; they are the receiver's to close. */
  readonly descriptors: readonly Descriptor[];
}

export class UnixSocket extends Descriptor {
  /**
   * Up to `length` bytes (and 64 KiB); undefined when there is nothing yet. Which byte descriptors came with cannot be
   * told, so who has to know reads up to the border of a message.
   * @throws SystemCallError. ENOBUFS when descriptors were lost: more than the process may open.
   */
  receive(length: number): Arrival | undefined {
    const received = this.system.native.recvmsg(this.fd, length);
    if (received === undefined) return undefined;
    const descriptors = received.fds.map((fd) => this.system.own(new Descriptor(this.system, fd)));
    if (!received.truncated) return { bytes: received.bytes, descriptors };
    for (const descriptor of descriptors) descriptor.close();
    throw new SystemCallError("recvmsg", "ENOBUFS", "for descriptors");
  }

  /**
   * Sends bytes, with descriptors beside the first of them, which stay open here. Gives how many bytes went, which can
   * be fewer; undefined when there is no room now, and then no descriptor went either.
   * @throws SystemCallError, e.g. EPIPE when the other side has closed
   */
  send(bytes: Uint8Array, descriptors: readonly Descriptor[] = []): number | undefined {
    return this.system.native.sendmsg(
      this.fd,
      bytes,
      descriptors.map(({ fd }) => fd),
    );
  }

  /** Sends all of it, waiting for room. @throws SystemCallError */
  async sendAll(bytes: Uint8Array, descriptors: readonly Descriptor[] = []): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const sent = this.send(bytes.subarray(at), at === 0 ? descriptors : []);
      if (sent === undefined) await this.ready("writable");
      else at += sent;
    }
  }
}

export class UnixListener extends Descriptor {
  readonly path: string;

  constructor(system: System, fd: number, path: string) {
    super(system, fd);
    this.path = path;
  }

  /**
   * The next connection, which is `owner`'s from then on; undefined when nobody waits.
   * @throws SystemCallError, e.g. EMFILE
   */
  accept(owner: System): UnixSocket | undefined {
    const fd = this.system.native.accept(this.fd);
    return fd === undefined ? undefined : owner.own(new UnixSocket(owner, fd));
  }

  /** Removes the path too, so that nobody waits for a server that is gone. */
  override close(): void {
    if (!this.isOpen) return;
    super.close();
    try {
      unlinkSync(this.path);
    } catch {
      // Somebody else has removed it.
    }
  }
}
