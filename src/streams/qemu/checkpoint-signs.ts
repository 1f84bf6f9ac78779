/**
 * How a reader that has lost its way tells a checkpoint of COLO, and an EOF that ends a part of one, from bytes that look
 * like them: an EOF is a zero byte, and small numbers are what guest memory is full of.
 */
import { ColoMessageKind, readColoMessage, scanColoMessage } from "../../../generated/qemu/colo.js";
import { readQemuVmRecord, scanQemuVmRecord } from "../../../generated/qemu/stream.js";
import type { Reader } from "../../runtime/index.js";

/** Two messages without a value. */
const OPENING_SIZE = 8;
/** A state of devices that is larger is no state. */
const MAX_STATE = 2 ** 32;
/** REQUEST and SEND. */
const OPENING = [
  0,
  0,
  0,
  ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REQUEST,
  0,
  0,
  0,
  ColoMessageKind.COLO_MESSAGE_VMSTATE_SEND,
];

/** What confirms that a zero byte is EOF: `end`, of the input. */
export type BehindEof = "size" | "request" | "end";

/** `at`: the index behind EOF. Undefined when nothing confirms it; a number: so many bytes from there on are needed to tell. */
export function behindEof(reader: Reader, at: number, ended: boolean): BehindEof | number | undefined {
  if (at >= reader.end) return ended ? "end" : OPENING_SIZE;
  const { at: cursor } = reader;
  reader.at = at;
  const whole = scanColoMessage(reader);
  const { wanted } = reader;
  let answer: BehindEof | number | undefined;
  if (whole) {
    const second = reader.at;
    reader.at = at;
    const { message, value = 0 } = readColoMessage(reader);
    if (message === ColoMessageKind.COLO_MESSAGE_VMSTATE_SIZE)
      answer = value > 0 && value < MAX_STATE ? "size" : undefined;
    else if (message === ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REQUEST)
      answer = isSend(reader, second, at, ended);
  } else if (reader.fault?.code === "truncated") {
    // Of a message that was cut, what is there must fit.
    const isZero = reader.bytes.subarray(at, Math.min(at + 3, reader.end)).every((byte) => byte === 0);
    answer = ended ? (isZero ? "end" : undefined) : wanted - at;
  }
  reader.at = cursor;
  return answer;
}

function isSend(reader: Reader, second: number, at: number, ended: boolean): "request" | number | undefined {
  reader.at = second;
  if (!scanColoMessage(reader)) {
    if (reader.fault?.code !== "truncated") return undefined;
    return ended ? "request" : OPENING_SIZE + second - at;
  }
  reader.at = second;
  return readColoMessage(reader).message === ColoMessageKind.COLO_MESSAGE_VMSTATE_SEND
    ? "request"
    : undefined;
}

/** Whether a checkpoint begins at index `at`: its first two messages, and a record that can follow them. */
export function checkpointAt(
  reader: Reader,
  at: number,
  isKnown: (sectionId: number) => boolean,
  ended: boolean,
): boolean | number {
  const { at: cursor, bytes, end } = reader;
  // Nearly every zero byte is turned away here.
  for (let i = 0; i < OPENING_SIZE && at + i < end; i++) {
    if (bytes[at + i] !== OPENING[i]) return false;
  }
  reader.at = at + OPENING_SIZE;
  if (reader.at > end) {
    reader.at = cursor;
    return ended ? false : OPENING_SIZE;
  }
  const recordAt = reader.at;
  const whole = scanQemuVmRecord(reader);
  const { wanted } = reader;
  let answer: boolean | number = false;
  if (whole) {
    reader.at = recordAt;
    const { head } = readQemuVmRecord(reader);
    answer =
      head.case === "end" || head.case === "part"
        ? isKnown(head.value.sectionId)
        : head.case === "command" || head.case === "start";
  } else if (reader.fault?.code === "truncated" && !ended) answer = wanted - at;
  reader.at = cursor;
  return answer;
}
