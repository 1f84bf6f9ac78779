/** A pipe put into another: what goes through it is shown to somebody, and passed on. */
import { type Descriptor, type System, SystemCallError } from "../system/index.js";

const CHUNK = 64 * 1024;
/** What a pipe holds at most, unless root has made it larger. @source Linux, /proc/sys/fs/pipe-max-size @unit bytes */
const MOST = 1024 * 1024;

export class StatePipe {
  private readonly from: Descriptor;
  private readonly to: Descriptor;
  private readonly show: (bytes: Uint8Array) => void;
  private readonly queue: Uint8Array[] = [];
  private writing = false;
  private atEnd = false;

  /** Reads from one end and writes to the other until either is closed. Both are this object's from now on. */
  constructor(from: Descriptor, to: Descriptor, show: (bytes: Uint8Array) => void) {
    this.from = from;
    this.to = to;
    this.show = show;
    from.setNonBlocking();
    to.setNonBlocking();
    this.listen();
  }

  /**
   * Stands at one end of a pipe, and gives the end that takes its place. `isSource`: it is the end to read from.
   * @throws SystemCallError when it is no pipe; then it stays the caller's
   */
  static at(
    system: System,
    end: Descriptor,
    isSource: boolean,
    show: (bytes: Uint8Array) => void,
  ): { readonly given: Descriptor; readonly pipe: StatePipe } {
    const [reading, writing] = system.pipe();
    const [given, ours] = isSource ? [reading, writing] : [writing, reading];
    given.setBlocking();
    try {
      return { given, pipe: isSource ? new StatePipe(end, ours, show) : new StatePipe(ours, end, show) };
    } catch (error) {
      given.close();
      ours.close();
      throw error;
    }
  }

  /** All of it has gone through. */
  get isOver(): boolean {
    return !this.to.isOpen;
  }

  /**
   * Shows all that was written so far: no more than a pipe holds, which is kept until it can be passed on. Whoever goes on
   * writing meanwhile keeps nobody here.
   */
  drain(): void {
    for (let taken = 0; taken < MOST && !this.atEnd; taken += CHUNK) if (!this.take()) return;
  }

  close(): void {
    this.atEnd = true;
    this.from.close();
    this.to.close();
  }

  private listen(): void {
    this.from.watch("readable", () => this.take());
  }

  /** Whether there may be more. */
  private take(): boolean {
    const chunk = new Uint8Array(CHUNK);
    const length = this.read(chunk);
    if (length === undefined) return false;
    if (length === 0) {
      this.atEnd = true;
      this.from.close();
    } else {
      const bytes = chunk.subarray(0, length);
      this.show(bytes);
      this.queue.push(bytes);
    }
    this.pass();
    return length > 0;
  }

  private read(into: Uint8Array): number | undefined {
    try {
      return this.from.read(into);
    } catch (error) {
      // For who reads from us, an end like any other.
      if (error instanceof SystemCallError) return 0;
      throw error;
    }
  }

  /** Writes what is there. While the other side is slow, nothing more is read than `drain` asks for. */
  private pass(): void {
    if (this.writing) return;
    this.writing = true;
    if (this.from.isOpen) this.from.unwatch("readable");
    this.write().then(
      () => {
        this.writing = false;
        if (this.queue.length > 0) this.pass();
        else if (this.atEnd) this.to.close();
        else this.listen();
      },
      // Who reads has gone: who writes shall notice.
      () => this.close(),
    );
  }

  private async write(): Promise<void> {
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      for (let at = 0; at < next.length; ) {
        const length = this.to.write(next.subarray(at));
        if (length === undefined) await this.to.ready("writable");
        else at += length;
      }
    }
  }
}
