/** Unpacks bzip2, several streams in a row too, block by block. */
import bitIterator from "unbzip2-stream/lib/bit_iterator.js";
import bzip2 from "unbzip2-stream/lib/bzip2.js";
import { ContainerDamage } from "./damage.js";
import type { Source } from "./source.js";

type BitReader = ReturnType<typeof bitIterator>;

const UNIT = 100_000;
/** A block can be a little larger than what it holds, with its tables. */
const OVERHEAD = 25_000;

export async function* unbzip2(source: Source): AsyncGenerator<Uint8Array> {
  const queue: Uint8Array[] = [];
  let held = 0;
  let produced = 0;
  let bits: BitReader | undefined;
  const output = new Output();
  let block: Int32Array | undefined;
  let checksum = 0;
  const step = (reader: BitReader): Uint8Array => {
    try {
      if (block === undefined) {
        block = new Int32Array(bzip2.header(reader) * UNIT);
        checksum = 0;
      } else {
        const next = bzip2.decompress(reader, output.push, block, block.length, checksum);
        if (next === null) block = undefined;
        else checksum = next;
      }
    } catch (error) {
      // What is damaged may look like something longer.
      const [code, detail] =
        error instanceof Cut
          ? (["truncated", "its end is missing, or it is damaged"] as const)
          : (["constraint", "its data does not make sense, or fails its checksum"] as const);
      throw new ContainerDamage("bzip2", code, detail, reader.bytesRead, produced);
    }
    const unpacked = output.take();
    produced += unpacked.length;
    return unpacked;
  };
  for await (const chunk of source.chunks()) {
    // A copy: the library keeps it until it has read it.
    queue.push(chunk.slice());
    held += chunk.length;
    bits ??= bitIterator(() => {
      const next = queue.shift();
      if (next === undefined) throw new Cut();
      return next;
    });
    // The library cannot wait in the middle of a block.
    while (held - bits.bytesRead >= OVERHEAD + (block?.length ?? 0)) yield step(bits);
  }
  while (bits !== undefined && (held > bits.bytesRead || block !== undefined)) yield step(bits);
}

/** More is asked for than there is. */
class Cut extends Error {}

/** What one block holds: up to 47 MB, for 259 equal bytes take 5 in it. */
class Output {
  private bytes = new Uint8Array(9 * UNIT);
  private length = 0;

  readonly push = (byte: number): void => {
    if (this.length === this.bytes.length) this.grow();
    this.bytes[this.length++] = byte;
  };

  /** Valid until the next block. */
  take(): Uint8Array {
    const { length } = this;
    this.length = 0;
    return this.bytes.subarray(0, length);
  }

  private grow(): void {
    const larger = new Uint8Array(this.bytes.length * 2);
    larger.set(this.bytes);
    this.bytes = larger;
  }
}
