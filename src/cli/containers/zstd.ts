/** Unpacks zstd: Node's zlib cannot before version 22. The library does not look at checksums. */
import { Decompress } from "fzstd";
import { ContainerDamage } from "./damage.js";
import type { Source } from "./source.js";

/** The library unpacks all that it is given at once. A block of 4 bytes can hold 128 KiB: 16 MiB are the most this makes. */
const STEP = 512;

export async function* unzstd(source: Source): AsyncGenerator<Uint8Array> {
  let unpacked: Uint8Array[] = [];
  let produced = 0;
  const stream = new Decompress((chunk) => {
    produced += chunk.length;
    if (chunk.length > 0) unpacked.push(chunk);
  });
  let consumed = 0;
  const push = (bytes: Uint8Array, isLast: boolean): ContainerDamage | undefined => {
    try {
      stream.push(bytes, isLast);
      return undefined;
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      return new ContainerDamage("zstd", "constraint", detail, consumed, produced);
    }
  };
  for await (const chunk of source.chunks()) {
    // The library keeps what it is given until a block is whole: a copy, for the chunk is only valid until the next.
    const copy = chunk.slice();
    for (let at = 0; at < copy.length; at += STEP) {
      const piece = copy.subarray(at, at + STEP);
      consumed += piece.length;
      const damage = push(piece, false);
      yield* unpacked;
      unpacked = [];
      if (damage !== undefined) throw damage;
    }
  }
  const damage = push(new Uint8Array(0), true);
  yield* unpacked;
  if (damage !== undefined) throw damage;
}
