/**
 * Written pages as VFIO and IOMMUFD report them: a bitmap from the start of a range on, in little-endian words of 64 bits.
 * @source linux/vfio.h, struct vfio_device_feature_dma_logging_report and VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP
 */
import type { PageRange } from "./written-pages.js";

const BYTE = 8;
const WORD = 64;
/** What a range may take at most: pages of 4 KiB in 2 TiB. @unit bytes */
const MAX_BITMAP = 1 << 26;

/**
 * `pages`: addresses of pages that were written, of any size that divides `pageSize`; those outside of the range are left
 * out.
 * @throws RangeError when the range is not made of whole pages, or when its bitmap is larger than 64 MiB.
 */
export function reportBitmap(pages: Iterable<number>, range: PageRange, pageSize: number): Uint8Array {
  const count = pagesOf(range, pageSize);
  const bytes = Math.ceil(count / WORD) * (WORD / BYTE);
  if (bytes > MAX_BITMAP) throw new RangeError(`a bitmap of ${bytes} bytes`);
  const bitmap = new Uint8Array(bytes);
  for (const page of pages) {
    const at = Math.floor((page - range.address) / pageSize);
    if (at < 0 || at >= count) continue;
    // The lowest bit of a little-endian word is the lowest bit of its first byte.
    const index = Math.floor(at / BYTE);
    bitmap[index] = (bitmap[index] ?? 0) | (1 << (at % BYTE));
  }
  return bitmap;
}

/**
 * The pages that a report names, in rising order. What is behind the last page of the range is padding.
 * @throws RangeError when the bitmap is shorter than the range.
 */
export function reportedPages(bitmap: Uint8Array, range: PageRange, pageSize: number): number[] {
  const count = pagesOf(range, pageSize);
  if (bitmap.length * BYTE < count)
    throw new RangeError(`a bitmap of ${bitmap.length} bytes for ${count} pages`);
  const pages: number[] = [];
  for (let index = 0; index * BYTE < count; index++) {
    const byte = bitmap[index] ?? 0;
    for (let bit = 0; byte >> bit !== 0; bit++) {
      const at = index * BYTE + bit;
      if (((byte >> bit) & 1) === 1 && at < count) pages.push(range.address + at * pageSize);
    }
  }
  return pages;
}

function pagesOf({ address, length }: PageRange, pageSize: number): number {
  const isWhole = pageSize > 0 && length >= 0 && address % pageSize === 0 && length % pageSize === 0;
  if (!isWhole) throw new RangeError(`${length} bytes at ${address} are not pages of ${pageSize} bytes`);
  return length / pageSize;
}
