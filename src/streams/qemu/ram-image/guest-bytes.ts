/** Reads guest memory by guest-physical addresses, out of an image of a migration's pages. */
import type { PageReader } from "./content.js";
import type { RamImage } from "./image.js";
import { guestAddress } from "./memory-map.js";

/** More than any table that a device and its driver share. */
const MAX_LENGTH = 1 << 20;

/**
 * Gives bytes at an address; undefined where they are not known: no memory there, pages that were not sent or that are
 * packed, a machine whose memory map is not known. `machine`: the machine type.
 */
export function guestBytes(
  image: RamImage,
  pages: PageReader,
  machine: string | undefined,
): (address: bigint, length: number) => Uint8Array | undefined {
  const { blocks } = image;
  return (address, length) => {
    if (length > MAX_LENGTH || address > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const place = guestAddress(machine, blocks, Number(address) + done);
      if ("problem" in place) return undefined;
      const block = image.block(place.block);
      if (block === undefined) return undefined;
      const page = Math.floor(place.offset / block.pageSize);
      const from = place.offset - page * block.pageSize;
      const size = Math.min(length - done, block.pageSize - from);
      const content = pages.read(image.codeOf(block.name, page), block.pageSize);
      if (content.kind === "bytes") bytes.set(content.bytes.subarray(from, from + size), done);
      else if (content.kind !== "zero") return undefined;
      done += size;
    }
    return bytes;
  };
}
