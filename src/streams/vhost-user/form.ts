/** Tells in which form a conversation is recorded. */
import { checkPcapngSectionStart, PCAPNG_SECTION_START_SIZE } from "../../../generated/capture/pcapng.js";
import { VHOST_USER_HEADER_SIZE } from "../../../generated/vhost-user/messages.js";
import { rowOf } from "./contract.js";
import { JsonLinesRecording } from "./jsonl.js";
import { soundHeader } from "./order.js";
import { PcapngRecording } from "./pcapng.js";
import { RawRecording } from "./raw.js";
import type { Recording, RecordingHandler } from "./recording.js";
import { StraceRecording } from "./strace.js";

/** The calls with messages may stand far behind those by which a program starts. */
const STRACE =
  /^(?:strace: Process \d+|(?:\[pid +\d+\] |\d+ +)?(?:[\d:.]+ +)?(?:sendmsg|recvmsg|read|write)\(\d)/m;

export type RecordingForm = "jsonl" | "pcapng" | "strace" | "raw";

/** By its first bytes; undefined when they are no conversation. */
export function recordingForm(prefix: Uint8Array): RecordingForm | undefined {
  const start = prefix.subarray(0, PCAPNG_SECTION_START_SIZE);
  if ([true, false].some((littleEndian) => checkPcapngSectionStart(start, littleEndian) === undefined)) {
    return "pcapng";
  }
  const text = new TextDecoder("latin1").decode(prefix);
  if (/^\s*\{/.test(text)) {
    return /^\s*\{[^\n]*"(?:from|hex)" ?: ?"[^\n]*"(?:from|hex)" ?:/.test(text) ? "jsonl" : undefined;
  }
  if (STRACE.test(text)) return "strace";
  return isRaw(prefix) ? "raw" : undefined;
}

export function openRecording(form: RecordingForm, handler: RecordingHandler): Recording {
  switch (form) {
    case "jsonl":
      return new JsonLinesRecording(handler);
    case "pcapng":
      return new PcapngRecording(handler);
    case "strace":
      return new StraceRecording(handler);
    case "raw":
      return new RawRecording(handler);
  }
}

/** Whether messages of one direction follow one another to where the prefix ends or cuts one. */
function isRaw(prefix: Uint8Array): boolean {
  return [true, false].some((littleEndian) => {
    let at = 0;
    let whole = 0;
    let replies: number | undefined;
    while (prefix.length - at >= VHOST_USER_HEADER_SIZE) {
      const bytes = prefix.subarray(at, at + VHOST_USER_HEADER_SIZE);
      const header = soundHeader(bytes, littleEndian);
      if (header === undefined || rowOf("frontend", header.request) === undefined) return false;
      const { reply, size } = header;
      replies ??= reply;
      if (reply !== replies) return false;
      at += VHOST_USER_HEADER_SIZE + size;
      if (at <= prefix.length) whole++;
    }
    return whole > 0;
  });
}
