/** Unpacks lzop, several members in a row too, block by block. */
import { describeFault } from "../../inspect/fault-text.js";
import { LzopParser } from "../../streams/containers/lzop.js";
import { ContainerDamage } from "./damage.js";
import type { Source } from "./source.js";

/** What is unpacked at once is held: of zeroes, LZO makes 255 bytes to one. */
const STEP = 1 << 16;

export async function* unlzop(source: Source): AsyncGenerator<Uint8Array> {
  let unpacked: Uint8Array[] = [];
  let damage: ContainerDamage | undefined;
  let consumed = 0;
  let produced = 0;
  const parser = new LzopParser({
    data: (bytes) => {
      produced += bytes.length;
      unpacked.push(bytes.slice());
    },
    fault: (fault) => {
      damage = new ContainerDamage("lzop", fault.code, describeFault(fault), consumed, produced);
    },
  });
  for await (const chunk of source.chunks()) {
    for (let at = 0; at < chunk.length && damage === undefined; at += STEP) {
      const piece = chunk.subarray(at, at + STEP);
      consumed += piece.length;
      parser.push(piece);
      yield* unpacked;
      unpacked = [];
    }
    if (damage !== undefined) throw damage;
  }
  parser.end();
  if (damage !== undefined) throw damage;
}
