/** Unpacks zstd, several frames in a row too, block by block: Node's zlib cannot before version 22. */
import xxhash from "xxhash-wasm";
import { describeFault } from "../../inspect/fault-text.js";
import { ZstdUnpacker } from "../../streams/containers/zstd.js";
import { type ZstdEvent, ZstdFrames } from "../../streams/containers/zstd-frames.js";
import { ContainerDamage } from "./damage.js";
import type { Source } from "./source.js";

export async function* unzstd(source: Source): AsyncGenerator<Uint8Array> {
  const { create64 } = await xxhash();
  let consumed = 0;
  let produced = 0;
  let unpacked: Uint8Array[] = [];
  let events: ZstdEvent[] = [];
  const frames = new ZstdFrames((event) => {
    // What is lent is gone when the listener returns.
    events.push("bytes" in event ? { ...event, bytes: event.bytes.slice() } : event);
  });
  const unpacker = new ZstdUnpacker(
    (bytes) => {
      produced += bytes.length;
      unpacked.push(bytes);
    },
    () => create64(),
  );
  // A block of 4 bytes can hold 128 KiB: what comes out of one is handed on before the next is unpacked.
  function* unpack(): Generator<Uint8Array> {
    for (const event of events) {
      if (event.kind === "fault") {
        const { fault } = event;
        throw new ContainerDamage("zstd", fault.code, describeFault(fault), consumed, produced);
      }
      let damage: ContainerDamage | undefined;
      try {
        unpacker.event(event);
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        damage = new ContainerDamage("zstd", "constraint", detail, consumed, produced);
      }
      yield* unpacked;
      unpacked = [];
      if (damage !== undefined) throw damage;
    }
    events = [];
  }
  for await (const chunk of source.chunks()) {
    consumed += chunk.length;
    frames.push(chunk);
    yield* unpack();
  }
  frames.end();
  yield* unpack();
}
