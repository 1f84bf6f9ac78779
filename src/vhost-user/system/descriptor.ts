/**
 * One open file descriptor: a pipe's end, an eventfd, a file, a socket. Reading, writing, watching, closing. koffi's watching ends the process when a descriptor
 * cannot be polled, is watched twice, or is closed while it is watched, and goes silent when nobody holds the handle:
 * so all four are this file's business.
 */
import { SystemCallError } from "./errors.js";
import type { PollEvents, PollHandle } from "./native.js";
import type { Closable, System } from "./system.js";

/** What a descriptor is watched for. */
export type Watched = "readable" | "writable";

const COUNT_BYTES = 8;
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

export class Descriptor implements Closable {
  /** The number; −1 once it is closed. */
  private current: number;
  protected readonly system: System;
  private handle: PollHandle | undefined;
  private readonly listeners = new Map<Watched, () => void>();
  private closing: (() => void)[] = [];
  private readonly count = new Uint8Array(COUNT_BYTES);

  /** `fd` is this object's from now on. */
  constructor(system: System, fd: number) {
    this.system = system;
    this.current = fd;
  }

  /** @throws SystemCallError (EBADF) when it is closed: the number may be another file's by now. */
  get fd(): number {
    if (this.current < 0) throw new SystemCallError("fd", "EBADF");
    return this.current;
  }

  get isOpen(): boolean {
    return this.current >= 0;
  }

  /** From now on reads and writes do not wait. Anybody who has the same open file sees that too. */
  setNonBlocking(): void {
    this.system.native.setNonBlocking(this.fd, true);
  }

  /** Reads and writes wait: what other programs expect of a descriptor that they are passed. Not to be used here then. */
  setBlocking(): void {
    this.system.native.setNonBlocking(this.fd, false);
  }

  /**
   * Gives how many bytes came; 0 at the end, undefined when there is nothing yet. Waits if the descriptor is a blocking
   * one: see `setNonBlocking`.
   * @throws SystemCallError
   */
  read(into: Uint8Array): number | undefined {
    return this.system.native.read(this.fd, into);
  }

  /** Gives how many bytes went; undefined when there is no room now. @throws SystemCallError */
  write(bytes: Uint8Array): number | undefined {
    return this.system.native.write(this.fd, bytes);
  }

  /** Of an eventfd: counts one up. When the counter is full, its reader is awake already. @throws SystemCallError */
  signal(): void {
    this.write(ONE);
  }

  /**
   * Of an eventfd: takes what was counted. False when there was nothing; undefined at the end of what is no eventfd and
   * would be readable for ever.
   * @throws SystemCallError
   */
  clear(): boolean | undefined {
    const length = this.read(this.count);
    return length === 0 ? undefined : length !== undefined;
  }

  /**
   * Calls `listener` whenever the descriptor is ready, until it is closed or `unwatch`ed. One listener for each of
   * `readable` and `writable`; a second takes the first one's place. An error that it throws is reported as an uncaught
   * exception. Keeps the process alive.
   * @throws SystemCallError (EPERM) for what cannot be waited for, such as a file.
   */
  watch(what: Watched, listener: () => void): void {
    const { native } = this.system;
    if (this.handle === undefined && !native.canPoll(this.fd)) throw new SystemCallError("poll", "EPERM");
    this.listeners.set(what, listener);
    this.apply();
  }

  unwatch(what: Watched): void {
    if (this.listeners.delete(what)) this.apply();
  }

  /** Resolves when it is ready. One wait at a time for each of the two. @throws SystemCallError (ECANCELED) when it is closed before. */
  ready(what: Watched): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => reject(new SystemCallError("poll", "ECANCELED"));
      this.closing.push(cancel);
      try {
        this.watch(what, () => {
          this.unwatch(what);
          this.closing = this.closing.filter((one) => one !== cancel);
          resolve();
        });
      } catch (error) {
        this.closing = this.closing.filter((one) => one !== cancel);
        reject(error);
      }
    });
  }

  /** May be called again. */
  close(): void {
    if (this.current >= 0) this.system.native.close(this.release());
  }

  /** Gives the number to somebody else, who closes it. This object is closed. */
  release(): number {
    const { fd } = this;
    this.listeners.clear();
    this.handle?.close();
    this.handle = undefined;
    this.current = -1;
    this.system.disown(this);
    const closing = this.closing;
    this.closing = [];
    for (const cancel of closing) cancel();
    return fd;
  }

  private apply(): void {
    if (this.listeners.size === 0) {
      this.handle?.stop();
      return;
    }
    const events: PollEvents = {
      readable: this.listeners.has("readable"),
      writable: this.listeners.has("writable"),
    };
    if (this.handle !== undefined) {
      this.handle.start(events);
      return;
    }
    this.handle = this.system.native.poll(this.fd, events, (status, happened) => {
      this.happened(status, happened);
    });
  }

  /** Runs inside of koffi, where an exception would hang the event loop and come out of some later call. */
  private happened(status: number, events: PollEvents): void {
    // An error of the descriptor shows when it is read or written.
    const failed = status < 0;
    for (const what of ["readable", "writable"] as const) {
      if (!failed && events[what] !== true) continue;
      try {
        this.listeners.get(what)?.();
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
