/** Messages between two orchestrators, out of and into a channel. Layouts are those of schemas/migration. */
import {
  encodeGuestAnswer,
  encodeGuestMessage,
  GUEST_STREAM_MAX_ANSWER,
  type GuestAnswer,
  type GuestAnswerBody,
  GuestAnswersParser,
  GuestAnswerType,
  type GuestMessage,
  type GuestMessageBody,
  GuestMessageType,
  GuestStreamParser,
} from "../../../generated/migration/guest-stream.js";
import { type PushParser, WireError } from "../../runtime/index.js";
import { ChunkReader, type MigrationChannel } from "./channel.js";
import type { Interruption } from "./interruption.js";
import { MigrationError } from "./migration-error.js";

const MESSAGE_TYPES: Readonly<Record<GuestMessageBody["case"], number>> = {
  begin: GuestMessageType.GUEST_MESSAGE_BEGIN,
  pages: GuestMessageType.GUEST_MESSAGE_PAGES,
  zeroPages: GuestMessageType.GUEST_MESSAGE_ZERO_PAGES,
  state: GuestMessageType.GUEST_MESSAGE_STATE,
  stateEnd: GuestMessageType.GUEST_MESSAGE_STATE_END,
  roundEnd: GuestMessageType.GUEST_MESSAGE_ROUND_END,
  guestMessageEnd: GuestMessageType.GUEST_MESSAGE_END,
  guestMessageResume: GuestMessageType.GUEST_MESSAGE_RESUME,
  abort: GuestMessageType.GUEST_MESSAGE_ABORT,
};

const ANSWER_TYPES: Readonly<Record<GuestAnswerBody["case"], number>> = {
  guestAnswerAccepted: GuestAnswerType.GUEST_ANSWER_ACCEPTED,
  roundTaken: GuestAnswerType.GUEST_ANSWER_ROUND_TAKEN,
  guestAnswerLoaded: GuestAnswerType.GUEST_ANSWER_LOADED,
  guestAnswerResumed: GuestAnswerType.GUEST_ANSWER_RESUMED,
  refused: GuestAnswerType.GUEST_ANSWER_REFUSED,
};

/** What fits into one answer, with room for its head. */
const REASON_LENGTH: number = GUEST_STREAM_MAX_ANSWER / 4;

/** A reason for the other side: characters of one byte, as the schema has them. */
export function reasonText(error: Error): string {
  return error.message.slice(0, REASON_LENGTH).replace(/[^\x20-\x7e]/g, "?");
}

/** Sends messages of one kind. A peer that takes nothing holds the sender up. */
class Sender<Body> {
  /** What has been sent. */
  bytes = 0;
  private readonly writer: WritableStreamDefaultWriter<Uint8Array>;
  private readonly interruption: Interruption;
  private readonly encode: (body: Body) => Uint8Array;

  constructor(channel: MigrationChannel, interruption: Interruption, encode: (body: Body) => Uint8Array) {
    this.writer = channel.writable.getWriter();
    // Whoever waits for the connection hears of its end there.
    this.writer.closed.catch(() => {});
    this.interruption = interruption;
    this.encode = encode;
  }

  async send(body: Body): Promise<void> {
    const bytes = this.encode(body);
    try {
      await this.interruption.of(this.writer.ready);
      this.put(bytes);
    } catch (error) {
      if (error instanceof MigrationError) throw error;
      throw new MigrationError("disconnected", "the connection takes no more", { cause: error });
    }
  }

  /** Says one last thing, or nothing, and closes. Waits for nothing: the other side may be gone. */
  leave(last?: Body): void {
    if (last !== undefined) this.put(this.encode(last));
    this.writer.close().catch(() => {});
    this.writer.releaseLock();
  }

  private put(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    // What breaks the connection is what the next wait for it says.
    this.writer.write(bytes).catch(() => {});
  }
}

export class MessageSender extends Sender<GuestMessageBody> {
  constructor(channel: MigrationChannel, interruption: Interruption) {
    super(channel, interruption, (body) => encodeGuestMessage({ type: MESSAGE_TYPES[body.case], body }));
  }
}

export class AnswerSender extends Sender<GuestAnswerBody> {
  constructor(channel: MigrationChannel, interruption: Interruption) {
    super(channel, interruption, (body) => encodeGuestAnswer({ type: ANSWER_TYPES[body.case], body }));
  }
}

/** Hands out messages of one kind as they come. Retains one that is not whole yet, and what a chunk holds. */
class Receiver<T> {
  /** What has come. */
  bytes = 0;
  private readonly chunks: ChunkReader;
  private readonly parser: PushParser;
  private readonly whole: T[] = [];
  private failure: MigrationError | undefined;

  constructor(channel: MigrationChannel, parser: (take: (message: T) => void) => PushParser) {
    this.chunks = new ChunkReader(channel.readable);
    this.parser = parser((message) => this.whole.push(message));
  }

  /**
   * The next message; byte arrays in it are good until the next call.
   * @throws MigrationError disconnected, malformed
   */
  async next(): Promise<T> {
    while (true) {
      const message = this.whole.shift();
      if (message !== undefined) return message;
      if (this.failure !== undefined) throw this.failure;
      await this.read();
    }
  }

  /** No more will be asked for. */
  leave(): void {
    this.chunks.release();
  }

  private async read(): Promise<void> {
    let chunk: Uint8Array | undefined;
    try {
      chunk = await this.chunks.read();
    } catch (error) {
      this.failure = new MigrationError("disconnected", "the connection broke", { cause: error });
      return;
    }
    this.bytes += chunk?.length ?? 0;
    try {
      // Whole messages before the damage still count.
      if (chunk === undefined) this.parser.finish();
      else this.parser.push(chunk);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.failure = new MigrationError("malformed", error.message, { cause: error });
      return;
    }
    if (chunk === undefined) this.failure = new MigrationError("disconnected", "the other side has closed");
  }
}

export class MessageReceiver extends Receiver<GuestMessage> {
  constructor(channel: MigrationChannel) {
    super(channel, (take) => new GuestStreamParser({ messages: take }));
  }
}

export class AnswerReceiver extends Receiver<GuestAnswer> {
  constructor(channel: MigrationChannel) {
    super(channel, (take) => new GuestAnswersParser({ answers: take }));
  }
}
