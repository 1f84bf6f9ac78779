/**
 * What the secondary of COLO says on the return path: that it is ready, and then, checkpoint after checkpoint, that it
 * stands still, has received the state, and has loaded it.
 */
import {
  type ColoMessage,
  ColoMessageKind,
  readColoMessage,
  scanColoMessage,
} from "../../../generated/qemu/colo.js";
import type { Reader } from "../../runtime/index.js";

/** What stands behind each message; READY is the first. */
const NEXT: ReadonlyMap<number, number> = new Map([
  [ColoMessageKind.COLO_MESSAGE_CHECKPOINT_READY, ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REPLY],
  [ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REPLY, ColoMessageKind.COLO_MESSAGE_VMSTATE_RECEIVED],
  [ColoMessageKind.COLO_MESSAGE_VMSTATE_RECEIVED, ColoMessageKind.COLO_MESSAGE_VMSTATE_LOADED],
  [ColoMessageKind.COLO_MESSAGE_VMSTATE_LOADED, ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REPLY],
]);
/** Of one message, in bytes: the secondary sends none with a value. */
const SIZE = 4;

export type ColoAnswer =
  /** So many bytes from the cursor on are needed. */
  | { readonly kind: "wanted"; readonly bytes: number }
  /** The cursor is behind it. `expected`: another message should stand here. */
  | { readonly kind: "message"; readonly message: ColoMessage; readonly expected: number | undefined }
  /** No message begins at the cursor. */
  | { readonly kind: "none"; readonly expected: number };

export class ColoAnswers {
  /** The first message of the secondary has come: what follows is COLO. */
  isOpen = false;
  /** How many checkpoints it has begun to take, and how many it has loaded. */
  readonly checkpoints = { begun: 0, loaded: 0 };
  private expected: number = ColoMessageKind.COLO_MESSAGE_CHECKPOINT_READY;

  /** The message without which a checkpoint is not over; undefined between two checkpoints. */
  get lacking(): number | undefined {
    return this.expected === ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REPLY ? undefined : this.expected;
  }

  /**
   * Whether READY begins at the cursor: on the return path, a message that does not exist. True only when nothing or the
   * answer to the first checkpoint is behind it; a number: so many bytes are needed to tell.
   */
  beginsAt({ bytes, at, end }: Reader, ended: boolean): boolean | number {
    const wanted = 2 * SIZE;
    const zeros = bytes.subarray(at, Math.min(at + SIZE, end));
    if (!zeros.every((byte) => byte === 0)) return false;
    if (end - at < wanted && !ended) return wanted;
    if (end - at < SIZE) return false;
    const behind = bytes.subarray(at + SIZE, Math.min(at + wanted, end));
    return behind.every((byte, i) => byte === (i === 3 ? ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REPLY : 0));
  }

  take(reader: Reader, ended: boolean): ColoAnswer {
    const { at } = reader;
    const { expected } = this;
    if (!scanColoMessage(reader)) {
      const wanted = reader.fault?.code === "truncated" && !ended;
      const bytes = reader.wanted - at;
      reader.at = at;
      return wanted ? { kind: "wanted", bytes } : { kind: "none", expected };
    }
    reader.at = at;
    const message = readColoMessage(reader);
    const next = NEXT.get(message.message);
    if (next === undefined) {
      reader.at = at;
      return { kind: "none", expected };
    }
    this.expected = next;
    if (message.message === ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REPLY) this.checkpoints.begun++;
    if (message.message === ColoMessageKind.COLO_MESSAGE_VMSTATE_LOADED) this.checkpoints.loaded++;
    return { kind: "message", message, expected: message.message === expected ? undefined : expected };
  }

  /** After damage: 0: two messages that follow one another, or the last one, begin at index `at`. −1: no. Else the bytes to wait for. */
  chainAt({ bytes, end }: Reader, at: number, ended: boolean): number {
    if (end - at < 2 * SIZE && !ended) return 2 * SIZE;
    const next = NEXT.get(wordAt(bytes, at, end) ?? -1);
    if (next === undefined) return -1;
    const isLast = at + SIZE === end;
    return isLast || wordAt(bytes, at + SIZE, end) === next ? 0 : -1;
  }
}

/** Undefined unless it is the number of a message. */
function wordAt(bytes: Uint8Array, at: number, end: number): number | undefined {
  if (at + SIZE > end || bytes.subarray(at, at + SIZE - 1).some((byte) => byte !== 0)) return undefined;
  return bytes[at + SIZE - 1];
}
