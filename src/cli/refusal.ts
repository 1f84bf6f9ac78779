/** What the rooms below refuse is, at the command line, a mistake of the user's. */
import { UsageError } from "./io.js";

type Refusal = abstract new (...args: never[]) => Error;

/** Errors of these kinds become a `UsageError` with their message, behind `prefix`; all others stay what they are. */
export function asUsage<T>(refusals: readonly Refusal[], act: () => T, prefix = ""): T {
  try {
    return act();
  } catch (error) {
    throw usageOf(refusals, error, prefix);
  }
}

export async function asUsageLater<T>(refusals: readonly Refusal[], act: Promise<T>): Promise<T> {
  try {
    return await act;
  } catch (error) {
    throw usageOf(refusals, error, "");
  }
}

function usageOf(refusals: readonly Refusal[], error: unknown, prefix: string): unknown {
  const isRefusal = refusals.some((refusal) => error instanceof refusal);
  return isRefusal && error instanceof Error ? new UsageError(prefix + error.message) : error;
}
