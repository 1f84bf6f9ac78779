/**
 * The contents of all pages of a migration in any order, those in compressed channels too: what they unpack to lies in
 * temporary files, so that no more than a few pages are in memory, however large the guest is.
 */
import { ChannelUnpacker, type ImageBlock, PageReader, type RamImage } from "../../streams/index.js";
import { Spool } from "../containers/spool.js";
import type { Io } from "../io.js";
import { SaidFaults } from "./faults.js";
import type { GuestMemory } from "./memory.js";

/** Read at once where pages follow one another: a system call costs more than a page does. */
const WINDOW = 1 << 18;
/** How far apart pages are that still follow one another. */
const NEAR = 1 << 16;

export class PageContents {
  private readonly reader: PageReader;
  private readonly unpacked: ReadonlyMap<number, UnpackedPages>;

  private constructor(memory: GuestMemory, unpacked: ReadonlyMap<number, UnpackedPages>) {
    const windows = memory.inputs.map(({ read }) => new ReadWindow(read));
    this.reader = new PageReader(memory.image, memory.main, (input, at, size) => {
      return windows[input]?.read(at, size) ?? new Uint8Array(0);
    });
    this.unpacked = unpacked;
  }

  /** Unpacks what the wanted blocks need. Throws `UsageError` where there is no room for it. */
  static async open(
    memory: GuestMemory,
    isWanted: (block: ImageBlock) => boolean,
    io: Io,
  ): Promise<PageContents> {
    const { image } = memory;
    const wanted = new Set(image.blocks.filter(isWanted).map(({ name }) => name));
    const unpacked = new Map<number, UnpackedPages>();
    try {
      for (const input of packedInputs(image, wanted)) {
        const pages = new UnpackedPages();
        unpacked.set(input, pages);
        const said = new SaidFaults();
        const unpacker = new ChannelUnpacker({
          page: (ordinal, name, offset, bytes) => {
            if (!wanted.has(name)) return;
            const page = Math.floor(offset / bytes.length);
            const location = image.locate(image.codeOf(name, page));
            // What came again later is not worth its place.
            if (location.kind === "packed" && location.input === input && location.ordinal === ordinal)
              pages.put(ordinal, bytes);
          },
          fault: (fault) => said.add(memory.inputs[input]?.name ?? "", fault),
        });
        await memory.feed(input, unpacker);
        said.say(io);
      }
    } catch (error) {
      for (const pages of unpacked.values()) pages.close();
      throw error;
    }
    return new PageContents(memory, unpacked);
  }

  /** Lent until the next page is asked for. Undefined when the page cannot be had. */
  read(block: ImageBlock, code: number): Uint8Array | "zero" | undefined {
    const content = this.reader.read(code, block.pageSize);
    switch (content.kind) {
      case "bytes":
        return content.bytes;
      case "zero":
        return "zero";
      case "packed":
        return this.unpacked.get(content.input)?.get(content.ordinal, block.pageSize);
      default:
        return undefined;
    }
  }

  close(): void {
    for (const pages of this.unpacked.values()) pages.close();
  }
}

function packedInputs(image: RamImage, blocks: ReadonlySet<string>): Set<number> {
  const inputs = new Set<number>();
  for (const name of blocks) {
    for (const { code } of image.pagesOf(name)) {
      const location = image.locate(code);
      if (location.kind === "packed") inputs.add(location.input);
    }
  }
  return inputs;
}

/** The pages of a channel, each at the place that its number gives it, in a file with holes. */
class UnpackedPages {
  private readonly spool = new Spool();
  /** A bit for each that is there: a hole reads as zeroes, which a page that is lacking does not hold. */
  private there = new Uint8Array(1024);

  put(ordinal: number, bytes: Uint8Array): void {
    const at = ordinal >>> 3;
    if (at >= this.there.length) {
      const there = new Uint8Array(Math.max(at + 1, this.there.length * 2));
      there.set(this.there);
      this.there = there;
    }
    this.there[at] = (this.there[at] ?? 0) | (1 << (ordinal & 7));
    this.spool.put(bytes, ordinal * bytes.length);
  }

  get(ordinal: number, size: number): Uint8Array | undefined {
    const isThere = ((this.there[ordinal >>> 3] ?? 0) >> (ordinal & 7)) & 1;
    return isThere === 1 ? this.spool.read(ordinal * size, size) : undefined;
  }

  close(): void {
    this.spool.close();
  }
}

/** Reads ahead while pages lie one behind the other, and no more than was asked for when they do not. */
class ReadWindow {
  private readonly source: (at: number, size: number) => Uint8Array;
  private at = 0;
  private bytes: Uint8Array = new Uint8Array(0);

  constructor(source: (at: number, size: number) => Uint8Array) {
    this.source = source;
  }

  read(at: number, size: number): Uint8Array {
    const within = at - this.at;
    if (within >= 0 && within + size <= this.bytes.length) return this.bytes.subarray(within, within + size);
    // The pages of a stream have their headers between them, those of a mapped file holes.
    const goesOn = within >= 0 && within <= this.bytes.length + NEAR;
    this.bytes = this.source(at, goesOn ? Math.max(size, WINDOW) : size);
    this.at = at;
    return this.bytes.subarray(0, size);
  }
}
