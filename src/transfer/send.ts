/**
 * Plays a stream into a QEMU that waits for it (`-incoming unix:…`, `-incoming tcp:…`), and listens to what it answers on
 * the return path, where the stream opens one.
 *
 * Memory: a chunk for each channel. The destination sets the pace.
 */
import { once } from "node:events";
import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { qemuRpMessageTypeName } from "../../generated/qemu/return-path.js";
import { QemuVmCmd } from "../../generated/qemu/stream.js";
import { QemuStreamParser, ReturnPathParser } from "../streams/index.js";
import { type Address, socketOptions } from "./address.js";
import { closed, drained } from "./flow.js";
import { isMultifd, MULTIFD_MARK_SIZE } from "./multifd.js";

/** The value of the PING behind LISTEN. */
const PING_IN_PACKAGE = 3;

export interface SendOptions {
  readonly address: Address;
  /** The main channel. */
  readonly file: string;
  /** Multifd channels or the one of postcopy-preempt, in the order in which the source opened them. */
  readonly channels: readonly string[];
  readonly onBytes: (bytes: number) => void;
}

/**
 * How it ended: the destination said that it has loaded the stream, or that it has not; it closed the connection before it
 * had read everything, or without the answer that it owes; or the stream has no return path, so that only the
 * destination itself knows.
 */
type SendVerdict = "loaded" | "refused" | "closed" | "sent";

export interface Sent {
  readonly verdict: SendVerdict;
  /** Of all channels. What the destination did not take in may still be among them: sockets hold some. */
  readonly bytes: number;
  /** Messages on the return path, by name. */
  readonly answers: ReadonlyMap<string, number>;
}

/** Throws what the file system says, and what the network says before anything has been sent. */
export async function sendMigration(options: SendOptions): Promise<Sent> {
  return await new Sender(options).run();
}

class Sender {
  private readonly options: SendOptions;
  private readonly answers = new Map<string, number>();
  private bytes = 0;
  private hasReturnPath = false;
  private shut: number | undefined;
  private broken = false;
  private heardListening: () => void = () => {};
  /**
   * The destination has come past the command LISTEN. Pages on the channel of postcopy-preempt are always answers to
   * requests: before there can be any, it is not ready for them, and fails.
   */
  private readonly listening: Promise<void>;

  constructor(options: SendOptions) {
    this.options = options;
    this.listening = new Promise((resolve) => {
      this.heardListening = resolve;
    });
  }

  async run(): Promise<Sent> {
    const { address, file, channels } = this.options;
    const main = await open(address);
    this.listen(main);
    const ended = closed(main).then(() => this.heardListening());
    const others: Socket[] = [];
    try {
      // A destination takes the first connection for the main channel, and the others in their order.
      for (const _ of channels) others.push(await open(address));
      await Promise.all([
        this.playMain(file, main),
        ...others.map((socket, i) => this.playOther(channels[i] ?? "", socket)),
      ]);
      // As a source does, the channels stay open until the destination has said how it went.
      if (!this.hasReturnPath) for (const socket of [main, ...others]) socket.end();
      await ended;
    } finally {
      for (const socket of [main, ...others]) socket.destroySoon();
    }
    return { verdict: this.verdict(), bytes: this.bytes, answers: this.answers };
  }

  private verdict(): SendVerdict {
    if (this.shut !== undefined) return this.shut === 0 ? "loaded" : "refused";
    return this.broken || this.hasReturnPath ? "closed" : "sent";
  }

  /** Reads the return path. */
  private listen(socket: Socket): void {
    const parser = new ReturnPathParser((event) => {
      if (event.kind !== "message" || event.message === undefined) return;
      const { type, data } = event.message;
      const name = qemuRpMessageTypeName(type) ?? String(type);
      this.answers.set(name, (this.answers.get(name) ?? 0) + 1);
      if (data.body.case === "migRpMsgShut") {
        this.shut = data.body.value.value;
        socket.end();
      }
      if (data.body.case === "migRpMsgPong" && data.body.value.value === PING_IN_PACKAGE)
        this.heardListening();
    });
    socket.on("error", () => {
      this.broken = true;
    });
    socket.on("data", (chunk) => parser.push(chunk));
  }

  private async playMain(file: string, socket: Socket): Promise<void> {
    const parser = new QemuStreamParser((event) => {
      if (event.kind === "command" && event.command.cmd === QemuVmCmd.MIG_CMD_OPEN_RETURN_PATH)
        this.hasReturnPath = true;
    });
    await this.play(file, socket, (chunk) => parser.push(chunk));
  }

  private async playOther(file: string, socket: Socket): Promise<void> {
    // Nothing comes back on it, but only who reads notices that it was closed.
    socket.resume();
    if (!isMultifd(startOf(file))) await this.listening;
    await this.play(file, socket, () => {});
  }

  /** Writes a file to a socket as fast as the other side takes it. */
  private async play(file: string, socket: Socket, look: (chunk: Uint8Array) => void): Promise<void> {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
      if (socket.destroyed) {
        this.broken = true;
        return;
      }
      look(chunk);
      this.bytes += chunk.length;
      this.options.onBytes(chunk.length);
      if (!socket.write(chunk)) await drained(socket);
    }
  }
}

async function open(address: Address): Promise<Socket> {
  const socket = connect(socketOptions(address));
  await once(socket, "connect");
  socket.on("error", () => {});
  return socket;
}

function startOf(file: string): Uint8Array {
  const fd = openSync(file, "r");
  try {
    const bytes = new Uint8Array(MULTIFD_MARK_SIZE);
    return bytes.subarray(0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}
