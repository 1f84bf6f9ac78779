/** Unpacks gzip, several members in a row too, with the zlib that Node brings. */
import { createGunzip } from "node:zlib";
import { ContainerDamage } from "./damage.js";
import type { Source } from "./source.js";

/** Deflate makes a thousandfold of it at most: that is what is held when somebody means harm. */
const STEP = 1 << 14;

export async function* gunzip(source: Source): AsyncGenerator<Uint8Array> {
  const stream = createGunzip();
  // Listening, not iterating: an iterator drops what was unpacked just before an error.
  let unpacked: Uint8Array[] = [];
  let failure: NodeJS.ErrnoException | undefined;
  let produced = 0;
  let wake = (): void => {};
  stream.on("data", (chunk: Uint8Array) => {
    produced += chunk.length;
    unpacked.push(chunk);
  });
  stream.on("error", (error) => {
    failure = error;
    wake();
  });
  const settled = (start: (done: () => void) => void): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      start(resolve);
    });
  let consumed = 0;
  for await (const chunk of source.chunks()) {
    for (let at = 0; at < chunk.length && failure === undefined; at += STEP) {
      // A copy: the chunk is only valid until the next is asked for.
      const piece = chunk.slice(at, at + STEP);
      consumed += piece.length;
      await settled((done) => stream.write(piece, () => done()));
      yield* unpacked;
      unpacked = [];
    }
    if (failure !== undefined) break;
  }
  if (failure === undefined) {
    await settled((done) => stream.once("end", done).end());
    yield* unpacked;
  }
  stream.destroy();
  if (failure === undefined) return;
  const code = failure.code === "Z_BUF_ERROR" ? "truncated" : "constraint";
  throw new ContainerDamage("gzip", code, failure.message, consumed, produced);
}
