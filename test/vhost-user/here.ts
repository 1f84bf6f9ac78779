/**
 * Whether system calls can be made here. A suite that cannot run says so, instead of passing in silence.
 */
import { describe } from "vitest";
import { openSystem } from "../../src/vhost-user/index.js";

const missing = await openSystem().then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) process.stderr.write(`\nNOT TESTED WITH REAL SOCKETS: ${missing}\n\n`);

/** `describe`, skipped where there are no system calls. */
export const describeHere: typeof describe = describe.skipIf(missing !== undefined) as typeof describe;
