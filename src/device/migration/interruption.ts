/** Lets what happens elsewhere, such as an abort, end what is being waited for. */

export class Interruption {
  private reason: Error | undefined;
  private reject: ((reason: Error) => void) | undefined;

  /** Ends what is waited for, now or next. The first reason counts. */
  interrupt(reason: Error): void {
    this.reason ??= reason;
    this.reject?.(this.reason);
  }

  /** @throws the reason, when there is one. */
  check(): void {
    if (this.reason !== undefined) throw this.reason;
  }

  /**
   * Waits for a promise, or for the interruption. One at a time: a Promise.race against something that lasts as long as a
   * migration would keep a reaction of every page that was ever waited for.
   */
  async of<T>(promise: Promise<T>): Promise<T> {
    // What comes too late is nobody's.
    promise.catch(() => {});
    this.check();
    try {
      return await new Promise<T>((resolve, reject) => {
        this.reject = reject;
        promise.then(resolve, reject);
      });
    } finally {
      this.reject = undefined;
    }
  }
}
