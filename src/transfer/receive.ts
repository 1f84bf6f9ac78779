/**
 * Stands in for the destination of a live migration on a socket: takes every channel that the source opens, writes it to a
 * file as it comes, and answers on the return path, so that the source completes.
 *
 * Memory: a chunk for each channel, besides what MigrationDestination states. A slow disk slows the source down.
 */
import type { Server, Socket } from "node:net";
import type { Fault } from "../runtime/index.js";
import { MigrationDestination } from "../streams/index.js";
import type { Address } from "./address.js";
import { drained } from "./flow.js";
import { listen } from "./listen.js";
import { isMultifd } from "./multifd.js";
import { OutputFile } from "./output-file.js";

/** A source that waits for its answer is silent for so long, in ms. */
const QUIET = 2000;
/** So long the source may take to close its channels once it has been told that all is there, in ms. */
const PARTING = 10_000;

export interface ReceiveOptions {
  readonly address: Address;
  /** The main channel goes to this file; the others to files whose names begin like it. */
  readonly output: string;
  /** See DestinationOptions. */
  readonly switchoverAck: boolean;
  readonly onListening: () => void;
  /** `share`: how much of the guest's memory is there, where that is known. */
  readonly onBytes: (bytes: number, share: number | undefined) => void;
  /** Resolves when receiving shall stop. */
  readonly interrupted: Promise<void>;
}

type ChannelKind = "main" | "multifd" | "postcopy-preempt" | "return";

interface ReceivedChannel {
  readonly kind: ChannelKind;
  readonly file: string;
  readonly bytes: number;
}

export interface Received {
  /** The stream is whole, and the source has been told so where it listened. */
  readonly whole: boolean;
  /** The main channel first, what was sent on the return path last. */
  readonly channels: readonly ReceivedChannel[];
  readonly pageRequests: number;
  readonly faults: readonly Fault[];
}

/** Throws what the file system and the network throw. */
export async function receiveMigration(options: ReceiveOptions): Promise<Received> {
  return await new Receiver(options).run();
}

interface Channel {
  kind: ChannelKind;
  readonly file: OutputFile;
}

class Receiver {
  private readonly options: ReceiveOptions;
  private readonly destination: MigrationDestination;
  private readonly channels: Channel[];
  private readonly sockets: Socket[] = [];
  private readonly reading: Promise<void>[] = [];
  private answers: Channel | undefined;
  private failure: Error | undefined;
  private heardAt = 0;
  private mainOver: () => void = () => {};

  constructor(options: ReceiveOptions) {
    this.options = options;
    // Before anything is listened for: a name that cannot be written to must not cost a migration.
    this.channels = [{ kind: "main", file: new OutputFile(options.output) }];
    this.destination = new MigrationDestination({
      reply: (message) => this.answer(message),
      switchoverAck: options.switchoverAck,
    });
  }

  async run(): Promise<Received> {
    const server = await this.listen();
    await this.connections(server);
    const channels = this.answers === undefined ? this.channels : [...this.channels, this.answers];
    for (const { file } of channels) file.close();
    if (this.failure !== undefined) throw this.failure;
    return {
      whole: this.destination.status.state === "completed",
      channels: channels.map(({ kind, file }) => ({ kind, file: file.path, bytes: file.size })),
      pageRequests: this.destination.requested,
      faults: this.destination.faults,
    };
  }

  private async listen(): Promise<Server> {
    try {
      return await listen(this.options.address, (socket) => {
        this.sockets.push(socket);
        // What breaks a connection ends the reading of it.
        socket.on("error", () => {});
        const reading = this.read(socket, this.sockets.length - 1);
        this.reading.push(reading.catch((error: unknown) => this.fail(error)));
      });
    } catch (error) {
      for (const { file } of this.channels) file.discard();
      throw error;
    }
  }

  /** Until the main channel is over and all are closed, or the user has enough. */
  private async connections(server: Server): Promise<void> {
    const mainOver = new Promise<void>((resolve) => {
      this.mainOver = resolve;
    });
    this.options.onListening();
    await Promise.race([mainOver, this.options.interrupted.then(() => this.fail(undefined))]);
    server.close();
    const parting = setTimeout(() => this.closeAll(), PARTING);
    await Promise.all(this.reading);
    clearTimeout(parting);
  }

  private async read(socket: Socket, index: number): Promise<void> {
    if (index === 0) return await this.readMain(socket);
    const channel: Channel = {
      kind: "postcopy-preempt",
      file: new OutputFile(`${this.options.output}.ch${index}`),
    };
    this.channels.push(channel);
    for await (const chunk of chunksOf(socket)) {
      if (channel.file.size === 0 && isMultifd(chunk)) channel.kind = "multifd";
      this.keep(channel, chunk);
      if (channel.kind === "postcopy-preempt") this.destination.pushPreempt(chunk);
    }
    socket.end();
  }

  private async readMain(socket: Socket): Promise<void> {
    const [main] = this.channels;
    if (main === undefined) return;
    const timer = setInterval(() => this.noticeQuiet(), QUIET / 4);
    try {
      for await (const chunk of chunksOf(socket)) {
        this.heardAt = Date.now();
        this.keep(main, chunk);
        this.destination.push(chunk);
        if (this.destination.over) this.finish();
        // A source that does not read its answers gets no more of them.
        if (socket.writableNeedDrain) await drained(socket);
        this.heardAt = Date.now();
      }
    } finally {
      clearInterval(timer);
    }
    this.finish();
  }

  private noticeQuiet(): void {
    const { hasReturnPath, mayBeOver } = this.destination;
    if (hasReturnPath && mayBeOver && Date.now() - this.heardAt >= QUIET) this.finish();
  }

  private finish(): void {
    try {
      this.destination.finish();
    } catch (error) {
      this.fail(error);
    }
    this.sockets[0]?.end();
    this.mainOver();
  }

  /** Something on this side went wrong: the source hears it, or at least notices, and keeps its guest. */
  private fail(error: unknown): void {
    if (error instanceof Error) this.failure ??= error;
    try {
      this.destination.finish(true);
    } catch {
      // The first failure is what is reported.
    }
    this.closeAll();
    this.mainOver();
  }

  private closeAll(): void {
    // What has been written to the return path still goes out.
    for (const socket of this.sockets) socket.destroySoon();
  }

  private keep(channel: Channel, chunk: Uint8Array): void {
    channel.file.write(chunk);
    this.options.onBytes(chunk.length, this.destination.share);
  }

  private answer(message: Uint8Array): void {
    this.answers ??= { kind: "return", file: new OutputFile(`${this.options.output}.return`) };
    this.answers.file.write(message);
    const [main] = this.sockets;
    if (main?.writable === true) main.write(message);
  }
}

/** What comes, until the other side closes or the connection breaks. */
async function* chunksOf(socket: Socket): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array;
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
  }
}
