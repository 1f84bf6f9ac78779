/**
 * What two hosts say to each other while they move a guest, message by message, damaged or not. One direction at a time:
 * what the source sends, or what the destination answers.
 */
import {
  type GuestAnswer,
  type GuestMessage,
  readGuestAnswer,
  readGuestMessage,
  scanGuestAnswer,
  scanGuestMessage,
  walkGuestAnswer,
  walkGuestMessage,
} from "../../../generated/migration/guest-stream.js";
import type { Fault, Reader, Visitor } from "../../runtime/index.js";
import { type ElementCodec, takeElement } from "../elements.js";
import { Window } from "../window.js";

export type GuestMessageEvent<T> =
  /** A message is complete. `bytes` are lent until the listener returns; `message` is undefined when it is damaged. */
  | {
      readonly kind: "message";
      readonly index: number;
      readonly at: number;
      readonly bytes: Uint8Array;
      readonly message: T | undefined;
    }
  /** Bytes that cannot be read: up to the end, for where the next message begins is not known. */
  | { readonly kind: "gap"; readonly at: number; readonly size: number }
  /** Of the message that comes next, or of the gap. */
  | { readonly kind: "fault"; readonly fault: Fault };

export interface GuestCodec<T> extends ElementCodec {
  readonly read: (reader: Reader) => T;
  /** What faults call a message: `messages[3]`. */
  readonly list: string;
}

const SCHEMA = "migration/guest-stream.wire";

export const GUEST_MESSAGES: GuestCodec<GuestMessage> = {
  scan: scanGuestMessage,
  walk: (reader: Reader, visitor: Visitor) => walkGuestMessage(reader, visitor),
  read: readGuestMessage,
  schema: SCHEMA,
  list: "messages",
};

export const GUEST_ANSWERS: GuestCodec<GuestAnswer> = {
  scan: scanGuestAnswer,
  walk: (reader: Reader, visitor: Visitor) => walkGuestAnswer(reader, visitor),
  read: readGuestAnswer,
  schema: SCHEMA,
  list: "answers",
};

/** Retains at most one message that is not complete yet, which the schema caps at 2 MiB. */
export class GuestMessageParser<T> {
  private readonly codec: GuestCodec<T>;
  private readonly listener: (event: GuestMessageEvent<T>) => void;
  private readonly window = new Window();
  private index = 0;
  private ended = false;
  private lostAt: number | undefined;

  constructor(codec: GuestCodec<T>, listener: (event: GuestMessageEvent<T>) => void) {
    this.codec = codec;
    this.listener = listener;
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => this.parse(reader));
  }

  /** The input is over. */
  end(): void {
    this.ended = true;
    this.window.finish((reader) => this.parse(reader));
    if (this.lostAt !== undefined && this.window.at > this.lostAt) {
      this.listener({ kind: "gap", at: this.lostAt, size: this.window.at - this.lostAt });
    }
  }

  private parse(reader: Reader): number {
    const { codec } = this;
    while (this.lostAt === undefined && reader.at < reader.end) {
      const { at } = reader;
      const step = takeElement(reader, codec, `${codec.list}[${this.index}]`);
      if (step.kind === "wanted" && !this.ended) return step.bytes;
      if (step.kind !== "element") {
        this.listener({ kind: "fault", fault: step.kind === "wanted" ? step.lacking : step.fault });
        this.lostAt = reader.base + at;
        break;
      }
      for (const fault of step.faults) this.listener({ kind: "fault", fault });
      const end = reader.at;
      let message: T | undefined;
      if (step.faults.length === 0) {
        reader.at = at;
        message = codec.read(reader);
      }
      const bytes = reader.bytes.subarray(at, end);
      this.listener({ kind: "message", index: this.index++, at: reader.base + at, bytes, message });
    }
    reader.at = reader.end;
    return 1;
  }
}
