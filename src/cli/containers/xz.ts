/** Unpacks xz: the kernel's decoder as WebAssembly. */
import xz from "xz-decompress";
import type { FaultCode } from "../../runtime/index.js";
import { ContainerDamage } from "./damage.js";
import type { Source } from "./source.js";

/** What the decoder's error codes (enum xz_ret of the kernel's include/linux/xz.h) mean. */
const ERRORS: Readonly<Record<number, readonly [FaultCode, string]>> = {
  3: ["limit", "there is not enough memory for its dictionary"],
  4: ["limit", "its dictionary is too large"],
  5: ["constraint", "something stands in it that is no xz"],
  6: ["constraint", "it has a checksum or a filter that cannot be read here: unpack it first (xz -dc)"],
  7: ["constraint", "its data does not make sense, or fails its checksum"],
  8: ["truncated", "its end is missing"],
};

export async function* unxz(source: Source): AsyncGenerator<Uint8Array> {
  let consumed = 0;
  let produced = 0;
  async function* copies(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source.chunks()) {
      consumed += chunk.length;
      yield chunk.slice();
    }
  }
  const packed = copies();
  const stream = new xz.XzReadableStream(
    new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await packed.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
    }),
  );
  const reader = stream.getReader();
  try {
    while (true) {
      let next: Awaited<ReturnType<typeof reader.read>>;
      try {
        next = await reader.read();
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        const number = / error code (\d+)$/.exec(detail)?.[1];
        const [code, meaning] = ERRORS[Number(number)] ?? (["constraint", detail] as const);
        throw new ContainerDamage("xz", code, meaning, consumed, produced);
      }
      if (next.done) return;
      produced += next.value.length;
      yield next.value;
    }
  } finally {
    // The library unpacks one file at a time: the next would wait for ever for one that is given up.
    await reader.cancel().catch(() => {});
  }
}
