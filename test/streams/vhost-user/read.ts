/** Reads a conversation as the command line does: what it says and which rules it breaks. */
import {
  type ConversationEvent,
  ConversationParser,
  type Finding,
  judgeEvent,
  openRecording,
  type RecordingForm,
} from "../../../src/streams/index.js";

export interface Read {
  readonly events: readonly ConversationEvent[];
  readonly findings: readonly Finding[];
  readonly rules: readonly string[];
  readonly faults: readonly string[];
  readonly notes: readonly string[];
}

export function readConversation(
  input: Uint8Array | string,
  form: RecordingForm = "jsonl",
  chunk: number = Number.POSITIVE_INFINITY,
): Read {
  const events: ConversationEvent[] = [];
  const findings: Finding[] = [];
  const faults: string[] = [];
  const notes: string[] = [];
  const parser = new ConversationParser((event, session) => {
    events.push(event);
    findings.push(...judgeEvent(event, session));
  });
  const recording = openRecording(form, {
    piece: (piece) => parser.push(piece),
    fault: ({ path, detail }) => faults.push(`${path}: ${detail}`),
    note: (text) => notes.push(text),
  });
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  for (let at = 0; at < bytes.length; at += chunk) {
    // A copy that is overwritten afterwards: chunks are lent.
    const lent = bytes.slice(at, Math.min(bytes.length, at + chunk));
    recording.push(lent);
    lent.fill(0xee);
  }
  recording.end();
  parser.end();
  return { events, findings, rules: findings.map(({ rule }) => rule.id), faults, notes };
}

/** The messages in short, e.g. `fe VHOST_USER_GET_FEATURES`, `be VHOST_USER_GET_FEATURES <- 0`. */
export function outline({ events }: Read): string[] {
  return events.flatMap((event) => {
    if (event.kind !== "message") return [`${event.kind}`];
    const { from, row, answers, fds, header } = event.message;
    const reply = answers === undefined ? "" : ` <- ${answers.index}`;
    return [`${from} ${row?.name ?? header.request}${reply}${fds ? ` +${fds}` : ""}`];
  });
}
