/**
 * Stands in for the destination of a live migration on a socket: takes every channel that the source opens, writes it to a
 * file as it comes, and answers on the return path, so that the source completes.
 *
 * Memory: a chunk for each channel, besides what MigrationDestination states. A slow disk slows the source down.
 */
import type { Server, Socket } from "node:net";
import { QemuVmSection } from "../../generated/qemu/stream.js";
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
  /** When the connection breaks in postcopy, wait for the source to connect again. */
  readonly recover: boolean;
  readonly onListening: () => void;
  /** `share`: how much of the guest's memory is there, where that is known. */
  readonly onBytes: (bytes: number, share: number | undefined) => void;
  /** The connection broke, and the source can come back. */
  readonly onLost: () => void;
  /** Resolves when receiving shall stop. */
  readonly interrupted: Promise<void>;
}

type ChannelKind = "main" | "resumed" | "multifd" | "postcopy-preempt" | "return";

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
  /** That of the main channel, which changes when the source connects again. */
  private main: Socket | undefined;
  /** The main channel broke, and its source may come back. */
  private broken = new Signal();
  private resumed = 0;
  private readonly reading: Promise<void>[] = [];
  private answers: Channel | undefined;
  private failure: Error | undefined;
  private heardAt = 0;
  private readonly mainOver = new Signal();

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
    this.options.onListening();
    await Promise.race([this.mainOver.promise, this.options.interrupted.then(() => this.fail(undefined))]);
    server.close();
    const parting = setTimeout(() => this.closeAll(), PARTING);
    await Promise.all(this.reading);
    clearTimeout(parting);
  }

  private async read(socket: Socket, index: number): Promise<void> {
    const chunks = chunksOf(socket);
    const [main] = this.channels;
    if (index === 0 && main !== undefined) return await this.readMain(socket, main, chunks);
    const first = await chunks.next();
    if (first.done !== true && this.options.recover && isMainChannel(first.value)) {
      return await this.goOn(socket, first.value, chunks);
    }
    const channel: Channel = {
      kind: first.done !== true && isMultifd(first.value) ? "multifd" : "postcopy-preempt",
      file: new OutputFile(`${this.options.output}.ch${index}`),
    };
    this.channels.push(channel);
    for (let next = first; next.done !== true; next = await chunks.next()) {
      this.keep(channel, next.value);
      if (channel.kind === "postcopy-preempt") this.destination.pushPreempt(next.value, index);
    }
    socket.end();
  }

  /** The source has connected again: this side may hear of it before it hears that the old connection broke. */
  private async goOn(socket: Socket, first: Uint8Array, chunks: AsyncGenerator<Uint8Array>): Promise<void> {
    await Promise.race([this.broken.promise, this.mainOver.promise]);
    if (!this.broken.isSettled) {
      socket.destroySoon();
      return;
    }
    this.broken = new Signal();
    this.destination.reconnected();
    const file = new OutputFile(`${this.options.output}.resumed${++this.resumed}`);
    const channel: Channel = { kind: "resumed", file };
    this.channels.push(channel);
    await this.readMain(socket, channel, chunks, first);
  }

  private async readMain(
    socket: Socket,
    main: Channel,
    chunks: AsyncGenerator<Uint8Array>,
    first?: Uint8Array,
  ): Promise<void> {
    this.main = socket;
    const timer = setInterval(() => this.noticeQuiet(), QUIET / 4);
    try {
      if (first !== undefined) await this.take(first, main, socket);
      for await (const chunk of chunks) await this.take(chunk, main, socket);
    } finally {
      clearInterval(timer);
    }
    if (this.options.recover && this.destination.lost()) {
      socket.destroySoon();
      this.broken.settle();
      this.options.onLost();
    } else this.finish();
  }

  private async take(chunk: Uint8Array, main: Channel, socket: Socket): Promise<void> {
    this.heardAt = Date.now();
    this.keep(main, chunk);
    this.destination.push(chunk);
    if (this.destination.over) this.finish();
    // A source that does not read its answers gets no more of them.
    if (socket.writableNeedDrain) await drained(socket);
    this.heardAt = Date.now();
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
    this.main?.end();
    this.mainOver.settle();
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
    this.mainOver.settle();
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
    if (this.main?.writable === true) this.main.write(message);
  }
}

/** A main channel that is taken up again begins with a command; the offset of no page begins with such a byte. */
function isMainChannel(chunk: Uint8Array): boolean {
  return chunk[0] === QemuVmSection.QEMU_VM_COMMAND;
}

/** Something that happens once. */
class Signal {
  isSettled = false;
  readonly promise: Promise<void>;
  private resolve: () => void = () => {};

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  settle(): void {
    this.isSettled = true;
    this.resolve();
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
