/** `virtwire ram read`: a piece of the guest's memory as a hexadecimal listing. */
import { MemoryDump } from "../../inspect/index.js";
import { guestAddress, type ImageBlock } from "../../streams/index.js";
import { EXIT, type Io, UsageError } from "../io.js";
import { blockNamed, type GuestMemory, type MigrationFiles, withMemory } from "./memory.js";
import { unpackPages } from "./unpack.js";

const MAX_LENGTH = 1 << 24;

interface Range {
  readonly block: ImageBlock;
  /** From the start of the block. */
  readonly start: number;
  readonly end: number;
  /** What is added to an offset in the block for the listing. */
  readonly base: number;
}

export function read(files: MigrationFiles, address: string, length: number, io: Io): Promise<number> {
  if (length > MAX_LENGTH) throw new UsageError(`--length: at most ${MAX_LENGTH} bytes, extract writes more`);
  return withMemory(files, io, async (memory) => {
    const range = rangeOf(memory, address, length, io);
    const { block, start, end, base } = range;
    const unpacked = await unpack(memory, range, io);
    const dump = new MemoryDump(io.out);
    let lacking = 0;
    for (let at = start; at < end; ) {
      const page = Math.floor(at / block.pageSize);
      const from = at - page * block.pageSize;
      const size = Math.min(end - at, block.pageSize - from);
      const code = memory.image.codeOf(block.name, page);
      const content = memory.reader.read(code, block.pageSize);
      const bytes =
        content.kind === "bytes"
          ? content.bytes
          : content.kind === "zero"
            ? new Uint8Array(block.pageSize)
            : unpacked.get(code);
      if (bytes === undefined) {
        dump.missing(base + at, size, content.kind === "missing" ? "never sent" : "cannot be read");
        lacking++;
      } else dump.bytes(base + at, bytes.subarray(from, from + size));
      at += size;
    }
    dump.end();
    return lacking > 0 || memory.faults > 0 ? EXIT.malformed : EXIT.ok;
  });
}

/** What of the range is compressed, by the codes of the pages. */
function unpack(
  memory: GuestMemory,
  { block, start, end }: Range,
  io: Io,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const { image } = memory;
  const wanted = new Set<number>();
  for (let page = Math.floor(start / block.pageSize); page * block.pageSize < end; page++) {
    const code = image.codeOf(block.name, page);
    if (image.locate(code).kind === "packed") wanted.add(code);
  }
  return unpackPages(memory, wanted, io);
}

/** BLOCK+OFFSET, BLOCK alone, or a guest-physical address. */
function rangeOf(memory: GuestMemory, text: string, length: number, io: Io): Range {
  const address = numberOf(text);
  const plus = text.lastIndexOf("+");
  let place: { readonly block: string; readonly offset: number };
  if (address !== undefined) {
    const found = guestAddress(memory.machine, memory.image.blocks, address);
    if ("problem" in found) throw new UsageError(found.problem);
    if (found.note !== undefined) io.err(`note: ${found.note}\n`);
    place = found;
  } else if (plus < 0 || memory.image.block(text) !== undefined) {
    place = { block: text, offset: 0 };
  } else {
    const offset = numberOf(text.slice(plus + 1));
    if (offset === undefined) throw new UsageError(`${JSON.stringify(text.slice(plus + 1))} is no offset`);
    place = { block: text.slice(0, plus), offset };
  }
  const block = blockNamed(memory, place.block);
  if (place.offset >= block.usedLength) {
    throw new UsageError(
      `0x${place.offset.toString(16)} is outside ${block.name}, which has ${block.usedLength} bytes`,
    );
  }
  const end = Math.min(block.usedLength, place.offset + length);
  return { block, start: place.offset, end, base: (address ?? place.offset) - place.offset };
}

function numberOf(text: string): number | undefined {
  if (!/^(?:0x[0-9a-f]+|\d+)$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
