/** `virtwire ram extract`: one block of the guest's memory to a file, with holes where pages hold zeroes. */
import { ftruncateSync, writeSync } from "node:fs";
import { printable } from "../../inspect/index.js";
import { ChannelUnpacker, type ImageBlock } from "../../streams/index.js";
import { EXIT, type Io } from "../io.js";
import { refuseToOverwrite, withOutput } from "../output.js";
import { SaidFaults } from "./faults.js";
import { blockNamed, type GuestMemory, type MigrationFiles, withMemory } from "./memory.js";

/** Ranges of missing pages that are named. */
const SAID = 5;

export function extract(files: MigrationFiles, name: string, out: string, io: Io): Promise<number> {
  refuseToOverwrite(files.files, out);
  return withMemory(files, io, (memory) => {
    const block = blockNamed(memory, name);
    return withOutput(out, async (fd) => {
      ftruncateSync(fd, block.usedLength);
      const unreadable = await writePages(memory, block, fd, io);
      return report(memory, block, unreadable, out, io);
    });
  });
}

/** Gives the number of pages whose content could not be had. */
async function writePages(memory: GuestMemory, block: ImageBlock, fd: number, io: Io): Promise<number> {
  const { image, reader } = memory;
  const packed = new Map<number, number>();
  let lacking = 0;
  for (const { page, code } of image.pagesOf(block.name)) {
    const content = reader.read(code, block.pageSize);
    if (content.kind === "bytes") write(fd, content.bytes, page * block.pageSize);
    else if (content.kind === "packed") packed.set(content.input, (packed.get(content.input) ?? 0) + 1);
    else if (content.kind === "unreadable") lacking++;
  }
  for (const [input, wanted] of packed) {
    let written = 0;
    const said = new SaidFaults();
    const unpacker = new ChannelUnpacker({
      page: (ordinal, name, offset, bytes) => {
        if (name !== block.name) return;
        const location = image.locate(image.codeOf(name, Math.floor(offset / block.pageSize)));
        if (location.kind !== "packed" || location.input !== input || location.ordinal !== ordinal) return;
        write(fd, bytes, offset);
        written++;
      },
      fault: (fault) => said.add(memory.inputs[input]?.name ?? "", fault),
    });
    await memory.feed(input, unpacker);
    said.say(io);
    lacking += wanted - written;
  }
  return lacking;
}

function write(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}

function report(memory: GuestMemory, block: ImageBlock, unreadable: number, out: string, io: Io): number {
  const { image, sharedIgnored, faults } = memory;
  const { zero, missing, plain, packed, changed } = image.coverage(block.name);
  const written = plain + packed + changed - unreadable;
  io.out(
    `${printable(block.name)}: ${block.usedLength} bytes to ${out}: ${written} pages, ${zero} of zeroes, ${missing + unreadable} missing\n`,
  );
  const isShared = sharedIgnored && written === 0;
  if (missing > 0) {
    const ranges = [...missingRanges(memory, block)];
    const shown = ranges.map(({ from, to }) => `0x${from.toString(16)}..0x${to.toString(16)}`).join(", ");
    const more = ranges.length === SAID ? ", …" : "";
    io.err(
      `${printable(block.name)}: ${isShared ? "shared, so not in the stream" : "never sent"}: ${shown}${more}\n`,
    );
  }
  return faults > 0 || unreadable > 0 || (missing > 0 && !isShared) ? EXIT.malformed : EXIT.ok;
}

/** The first few ranges of bytes that no stream brought. */
function* missingRanges(
  { image }: GuestMemory,
  { name, usedLength, pageSize }: ImageBlock,
): Generator<{ readonly from: number; readonly to: number }> {
  let next = 0;
  let found = 0;
  for (const { page } of image.pagesOf(name)) {
    if (page > next) {
      yield { from: next * pageSize, to: page * pageSize };
      if (++found === SAID) return;
    }
    next = page + 1;
  }
  if (next * pageSize < usedLength) yield { from: next * pageSize, to: usedLength };
}
