/** How V8 is set for a process that lives for a fraction of a second. */
import { setFlagsFromString } from "node:v8";

/** The version in which this was measured; elsewhere the flag may have another meaning, or be gone. */
const MEASURED = "11.";

/**
 * Functions are optimized when they have run six times as long as V8 would let them: compiling takes a processor of its own
 * and megabytes, and before most of that code is used the capture has been read. What a large capture repeats still is
 * optimized, after some milliseconds more.
 */
export function optimizeLater(): void {
  if (process.versions.v8.startsWith(MEASURED)) setFlagsFromString("--interrupt-budget=400000");
}
