/**
 * Unpacks LZO1X. Written after the description of the format in Linux, Documentation/staging/lzo.rst; neither reads nor
 * writes outside of what it is given, whatever that holds.
 *
 * An instruction is a byte and what belongs to it: a match (so many bytes again, from so far back) with up to three literal
 * bytes behind it, or a longer run of literals. What an instruction below 16 means follows from how many literals stood
 * before it.
 */

const CUT = "its end is missing";
const FULL = "more comes out of it than it says";
/** Nothing but the end takes less. */
const LEAST = 3;
/** Behind a run of four literals and more. */
const LONG_RUN = 4;
/** From there on a match is longer than a call takes. */
const WORTH_A_CALL = 16;

/** Fills `out` with what `packed` unpacks to, exactly; says what is wrong when it cannot. */
export function unpackLzo1x(packed: Uint8Array, out: Uint8Array): string | undefined {
  const end = packed.length;
  let at = 0;
  let filled = 0;
  let literals = 0;
  let before = 0;
  const first = packed[0] ?? 0;
  if (first > 17) {
    at = 1;
    literals = first - 17;
    before = Math.min(literals, LONG_RUN);
  }
  while (true) {
    if (literals > 0) {
      if (literals > end - at) return CUT;
      if (literals > out.length - filled) return FULL;
      if (literals > WORTH_A_CALL) out.set(packed.subarray(at, at + literals), filled);
      else for (let i = 0; i < literals; i++) out[filled + i] = packed[at + i] as number;
      at += literals;
      filled += literals;
    }
    if (end - at < LEAST) return CUT;
    const code = packed[at++] as number;
    let length: number;
    let distance: number;
    if (code >= 64) {
      length = (code >> 5) + 1;
      distance = ((packed[at++] as number) << 3) + ((code >> 2) & 7) + 1;
      literals = code & 3;
    } else if (code >= 16) {
      const mask = code >= 32 ? 31 : 7;
      length = code & mask;
      if (length === 0) {
        for (; packed[at] === 0; at++) length += 255;
        length += mask + (packed[at++] ?? 0);
        if (end - at < 2) return CUT;
      }
      length += 2;
      const operand = (packed[at] as number) | ((packed[at + 1] as number) << 8);
      at += 2;
      literals = operand & 3;
      distance = (operand >> 2) + 1;
      if (code < 32) {
        distance += 0x3fff + ((code & 8) << 11);
        if (distance === 0x4000) {
          if (at < end) return `${end - at} bytes stand behind its end`;
          return filled === out.length ? undefined : `${filled} bytes come out of it, not ${out.length}`;
        }
      }
    } else if (before === 0) {
      literals = code;
      if (literals === 0) {
        for (; packed[at] === 0; at++) literals += 255;
        literals += 15 + (packed[at++] ?? 0);
      }
      literals += 3;
      before = LONG_RUN;
      continue;
    } else {
      distance = ((packed[at++] as number) << 2) + (code >> 2) + 1;
      length = 2;
      if (before === LONG_RUN) {
        distance += 0x800;
        length = 3;
      }
      literals = code & 3;
    }
    before = literals;
    if (distance > filled) return "it repeats what stands before its beginning";
    if (length > out.length - filled) return FULL;
    repeat(out, filled, distance, length);
    filled += length;
  }
}

/** Copies `length` bytes from `distance` back; they may overlap, and then repeat themselves. */
function repeat(out: Uint8Array, to: number, distance: number, length: number): void {
  const from = to - distance;
  if (length > WORTH_A_CALL && distance === 1) {
    out.fill(out[from] as number, to, to + length);
  } else if (length > WORTH_A_CALL && distance >= length) {
    out.copyWithin(to, from, from + length);
  } else {
    for (let i = 0; i < length; i++) out[to + i] = out[from + i] as number;
  }
}
