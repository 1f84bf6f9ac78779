/** The connection between two hosts, as streams of bytes: whoever opens it closes it, and brings what secures it. */

/**
 * Both ways of a connection. A socket of Node is one by `Duplex.toWeb`; so are a WebTransport stream and two
 * TransformStreams laid crosswise. How a chunk is cut means nothing.
 */
export interface MigrationChannel {
  /** What the other side sends. Chunks may be used until the next one is asked for. */
  readonly readable: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Where bytes to the other side go. It is closed when there is no more to say. */
  readonly writable: WritableStream<Uint8Array>;
}

/** Reads either kind chunk by chunk. Not every browser iterates over a ReadableStream, but all give a reader. */
export class ChunkReader {
  private readonly next: () => Promise<{ readonly done?: boolean; readonly value?: Uint8Array | undefined }>;
  /** Leaves the stream to whoever opened it, who could not cancel it otherwise. What is being read is read no more. */
  readonly release: () => void;

  constructor(readable: MigrationChannel["readable"]) {
    if ("getReader" in readable) {
      const reader = readable.getReader();
      this.next = () => reader.read();
      this.release = () => reader.releaseLock();
    } else {
      const iterator = readable[Symbol.asyncIterator]();
      this.next = () => iterator.next();
      this.release = () => {};
    }
  }

  /** Undefined at the end. Rejects with what breaks the connection. */
  async read(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.next();
    return done === true ? undefined : value;
  }
}
