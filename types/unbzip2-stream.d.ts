/**
 * The two inner modules of unbzip2-stream 1.4.3, which ships no declarations. Its stream keeps a block as an array of
 * numbers, so that a block of zeroes takes two gigabytes.
 */
declare module "unbzip2-stream/lib/bit_iterator.js" {
  interface BitReader {
    (count: number): number;
    /** Of those that `next` gave. */
    readonly bytesRead: number;
  }
  function bitIterator(next: () => Uint8Array): BitReader;
  export default bitIterator;
}

declare module "unbzip2-stream/lib/bzip2.js" {
  type BitReader = ReturnType<typeof import("unbzip2-stream/lib/bit_iterator.js").default>;
  interface Bzip2 {
    /** Gives the size of the blocks, in units of 100,000 bytes. */
    header(bits: BitReader): number;
    /** Unpacks one block. Gives the checksum up to here, or null when it was the end of the stream. */
    decompress(
      bits: BitReader,
      output: (byte: number) => void,
      block: Int32Array,
      blockSize: number,
      checksum: number,
    ): number | null;
  }
  const bzip2: Bzip2;
  export default bzip2;
}
