/** Why a migration has come to nothing, or to nothing certain. */

export type MigrationErrorCode =
  /** This side was told to give up. */
  | "aborted"
  /** The other side has given up, and said why. */
  | "peer"
  /** The connection is over before the migration is. */
  | "disconnected"
  /** Bytes that are no message; `cause` is the WireError, with path and offset. */
  | "malformed"
  /** A message where it means nothing. */
  | "protocol"
  /** Guest, pages or members are not the same on both sides. */
  | "mismatch"
  /** A state or a page that is larger than this side takes, or lies where no memory is. */
  | "limit"
  /** A device, or its driver, has refused; `cause` is what it said. */
  | "device"
  /** The guest has been handed over, and nothing says whether it runs there. It must not be run here again. */
  | "undecided";

export class MigrationError extends Error {
  readonly code: MigrationErrorCode;
  /** What could not be taken back when the migration was given up; empty as a rule. */
  readonly leftovers: readonly unknown[];

  constructor(
    code: MigrationErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly leftovers?: readonly unknown[] } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.name = "MigrationError";
    this.code = code;
    this.leftovers = options.leftovers ?? [];
  }

  /** The same, when something could not be taken back. */
  with(leftovers: readonly unknown[]): MigrationError {
    if (leftovers.length === 0) return this;
    return new MigrationError(this.code, this.message, { cause: this.cause, leftovers });
  }
}

/** What a device or its driver has thrown, as the reason of a migration that fails. */
export function asMigrationError(error: unknown): MigrationError {
  if (error instanceof MigrationError) return error;
  return new MigrationError("device", error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

/** Takes every step, whatever becomes of those before it, and gives what they have thrown. */
export async function attempted(steps: readonly (() => void | Promise<void>)[]): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  return failures;
}
