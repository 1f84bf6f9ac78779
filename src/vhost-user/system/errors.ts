/** What can go wrong with the operating system, as errors with a stable code. */

/** A system call that has failed. `code` is errno's name: `ENOENT`, `EAGAIN`, … */
export class SystemCallError extends Error {
  readonly code: string;
  readonly call: string;

  /** `about`: what it was for, e.g. a path. */
  constructor(call: string, code: string, about?: string) {
    super(about === undefined ? `${call}: ${code}` : `${call} ${about}: ${code}`);
    this.name = "SystemCallError";
    this.call = call;
    this.code = code;
  }
}

/** System calls cannot be made here: not on Linux, or koffi is not installed. */
export class NoSystemCallsError extends Error {
  readonly code: "platform" | "koffi";

  constructor(code: NoSystemCallsError["code"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "NoSystemCallsError";
    this.code = code;
  }
}
