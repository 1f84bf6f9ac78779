/** Reads guest memory by guest-physical addresses, out of an image of a migration's pages. */
import type { GuestBytes } from "../../virtqueues/memory.js";
import type { PageReader } from "./content.js";
import type { RamImage } from "./image.js";
import type { PageLocation } from "./location.js";
import { guestAddress } from "./memory-map.js";

/** More than any table that a device and its driver share. */
const MAX_LENGTH = 1 << 20;

/** Pages that were unpacked, by their code. Undefined: not yet. */
export interface UnpackedPages {
  get(code: number): Uint8Array | undefined;
}

/**
 * Gives bytes at an address; undefined where they are not known: no memory there, pages that were not sent or that are
 * packed and not in `unpacked`, a machine whose memory map is not known. `machine`: the machine type.
 */
export function guestBytes(
  image: RamImage,
  pages: PageReader,
  machine: string | undefined,
  unpacked?: UnpackedPages,
): GuestBytes {
  const { blocks } = image;
  return (address, length) => {
    if (length > MAX_LENGTH || address > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    const bytes = new Uint8Array(length);
    // Of packed pages all are asked for, so that they can be unpacked together.
    let isWhole = true;
    for (let done = 0; done < length; ) {
      const place = guestAddress(machine, blocks, Number(address) + done);
      if ("problem" in place) return undefined;
      const block = image.block(place.block);
      if (block === undefined) return undefined;
      const page = Math.floor(place.offset / block.pageSize);
      const from = place.offset - page * block.pageSize;
      const size = Math.min(length - done, block.pageSize - from);
      const code = image.codeOf(block.name, page);
      const content = pages.read(code, block.pageSize);
      const found =
        content.kind === "bytes"
          ? content.bytes
          : content.kind === "packed"
            ? unpacked?.get(code)
            : undefined;
      if (found !== undefined) bytes.set(found.subarray(from, from + size), done);
      else if (content.kind === "packed") isWhole = false;
      else if (content.kind !== "zero") return undefined;
      done += size;
    }
    return isWhole ? bytes : undefined;
  };
}

/** Where a byte of guest memory stands. */
export interface GuestPlace {
  readonly block: string;
  readonly offset: number;
  /** Of the page that it is in. */
  readonly content: PageLocation["kind"];
  /** Where in an input it stands, of a page that was sent as it is. */
  readonly plain: { readonly input: number; readonly at: number } | undefined;
}

/** `machine`: the machine type. */
export function guestPlace(
  image: RamImage,
  machine: string | undefined,
  address: bigint,
): GuestPlace | { readonly problem: string } {
  if (address > BigInt(Number.MAX_SAFE_INTEGER)) {
    return { problem: `0x${address.toString(16)} is in no guest's memory` };
  }
  const place = guestAddress(machine, image.blocks, Number(address));
  if ("problem" in place) return place;
  const { block, offset } = place;
  const { pageSize = 1 } = image.block(block) ?? {};
  const location = image.locate(image.codeOf(block, Math.floor(offset / pageSize)));
  const within = offset % pageSize;
  const plain = location.kind === "plain" ? { input: location.input, at: location.at + within } : undefined;
  return { block, offset, content: location.kind, plain };
}
