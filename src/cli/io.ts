/** What a verb may do to the outside, so that tests can stand in for the process. */

export interface Io {
  /** Returns when whoever reads has taken it: a slow reader must not make what is printed pile up. Bytes are UTF-8, and lent. */
  readonly out: (text: string | Uint8Array) => void;
  readonly err: (text: string) => void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** How many characters a row of the terminal holds, where there is one. */
  readonly columns: () => number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Resolves when the user asks to stop (Ctrl-C). From the call on, that does not end the process by itself. */
  readonly interrupted: () => Promise<void>;
}

/** Colour is for people who look, and have not asked to be spared it. */
export function wantsColour(io: Io): boolean {
  return io.outIsTerminal && (io.env["NO_COLOR"] ?? "") === "" && io.env["TERM"] !== "dumb";
}

/** What the process says when it ends. */
export const EXIT = {
  ok: 0,
  /** A check failed, e.g. generated code is stale, or a conversation breaks a rule. */
  differs: 1,
  /** The command line is wrong, or a file cannot be read or written. */
  usage: 2,
  /** The input is malformed, truncated or of a kind that cannot be read; what could be read has been shown. */
  malformed: 4,
  internal: 5,
} as const;

/** A mistake that one line on standard error explains. */
export class UsageError extends Error {}

/** Gathers small writes: a system call for each line of a listing takes longer than the inspection. */
export class Batch {
  private readonly out: (text: string) => void;
  private parts: string[] = [];
  private length = 0;

  constructor(out: (text: string) => void) {
    this.out = out;
  }

  readonly write = (text: string): void => {
    this.parts.push(text);
    this.length += text.length;
    if (this.length >= 1 << 16) this.flush();
  };

  flush(): void {
    if (this.length > 0) this.out(this.parts.join(""));
    this.parts = [];
    this.length = 0;
  }
}
