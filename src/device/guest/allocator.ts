/** Hands out guest memory to a driver, from one end to the other. */

export class Allocator {
  private next: number;
  private readonly end: number;

  /** From `start` up to `end`, guest-physical. */
  constructor(start: number, end: number) {
    this.next = start;
    this.end = end;
  }

  /** Throws RangeError when there is no more. `alignment`: a power of two. */
  take(size: number, alignment = 16): number {
    const at = Math.ceil(this.next / alignment) * alignment;
    if (at + size > this.end) throw new RangeError(`no ${size} bytes of guest memory are left`);
    this.next = at + size;
    return at;
  }
}
