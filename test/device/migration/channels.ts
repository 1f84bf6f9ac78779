/** Two ends of a connection in this process, which can be cut, slow and broken as a test wants it. */
import type { MigrationChannel } from "../../../src/device/migration/channel.js";

export interface Line {
  /** What is read at once; as it was written when left out. */
  readonly piece?: number;
  /** Called before each write is taken, by number from 0 on; what it throws breaks the line. */
  readonly onWrite?: (write: number, bytes: Uint8Array) => void;
}

/** The source's end and the destination's. */
export function channelPair(
  there: Line = {},
  back: Line = {},
): readonly [MigrationChannel, MigrationChannel] {
  const forward = oneWay(there);
  const backward = oneWay(back);
  return [
    { readable: backward.readable, writable: forward.writable },
    { readable: forward.readable, writable: backward.writable },
  ];
}

function oneWay({ piece, onWrite }: Line): Pick<MigrationChannel, "writable"> & {
  readonly readable: AsyncIterable<Uint8Array>;
} {
  const queue: Uint8Array[] = [];
  let over = false;
  let broken: Error | undefined;
  let wake = (): void => {};
  let writes = 0;
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => {
      try {
        onWrite?.(writes++, chunk);
      } catch (error) {
        broken = error as Error;
        wake();
        throw error;
      }
      const size = piece ?? chunk.length;
      for (let at = 0; at < chunk.length; at += size) queue.push(chunk.slice(at, at + size));
      wake();
    },
    close: () => {
      over = true;
      wake();
    },
  });
  async function* chunks(): AsyncGenerator<Uint8Array> {
    while (true) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else if (broken !== undefined) throw broken;
      else if (over) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }
  return { writable, readable: chunks() };
}
