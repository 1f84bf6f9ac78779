/** The guest's memory, found in the streams of a migration. */
export { type BuilderOptions, RamImageBuilder, type StreamTarget } from "./builder.js";
export { type PageContent, PageReader, type ReadAt } from "./content.js";
export { type GuestPlace, guestBytes, guestPlace, type UnpackedPages } from "./guest-bytes.js";
export type { BlockCoverage, ImageBlock, RamImage } from "./image.js";
export { addressesOf, guestAddress, type MappedRange, type MemoryPlace } from "./memory-map.js";
export { ChannelUnpacker, type UnpackHandler } from "./unpack.js";
