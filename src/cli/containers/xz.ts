/** Unpacks xz: the kernel's decoder as WebAssembly. */
import xz from "xz-decompress";
import { ContainerDamage } from "./damage.js";
import type { Source } from "./source.js";

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
  while (true) {
    let next: Awaited<ReturnType<typeof reader.read>>;
    try {
      next = await reader.read();
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new ContainerDamage("xz", detail, consumed, produced);
    }
    if (next.done) return;
    produced += next.value.length;
    yield next.value;
  }
}
