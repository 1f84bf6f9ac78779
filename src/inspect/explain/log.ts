/** Lines of a log, or one pasted line: which known messages they hold, and what the lines around them are about. */
import { Format } from "./format.js";
import type { Message, Subject } from "./message.js";
import { messages } from "./messages/index.js";
import type { Values } from "./values.js";

export interface Sighting {
  readonly message: Message;
  readonly values: Values;
  /** The message without what stands around it in the line. */
  readonly text: string;
  /** Of the line, counted from 1. */
  readonly line: number;
  /** What this message, and others of the same failure, are about. */
  readonly subject: Subject;
  /** Names of states and sections around it: the type of the device may show in any of them. */
  readonly names: readonly string[];
}

export interface Log {
  readonly sightings: readonly Sighting[];
  /** Lines that hold no known message, without the empty ones. */
  readonly unknown: readonly { readonly line: number; readonly text: string }[];
  /** Lines behind those that are read. */
  readonly unread: number;
}

/** No message comes near it; patterns are not made for lines without end. */
const MAX_LINE = 4096;
const MAX_LINES = 100_000;
/** The message that ends a failure. */
const END = "load-failed";
/** How far the lines that name the device stand from the one that says what is wrong. */
const NEAR = 12;

interface Recognizer {
  readonly message: Message;
  readonly format: Format;
}

/** The most telling first. */
const RECOGNIZERS: readonly Recognizer[] = messages
  .flatMap((message) =>
    [...(message.later ?? []), message.enough ?? message.format].map((format) => ({
      message,
      format: new Format(
        format,
        message.values,
        message.source.project === "QEMU" ? "c" : "rust",
        message.isWholeLine === true,
      ),
    })),
  )
  .sort((a, b) => b.format.weight - a.format.weight);

export function readLog(text: string): Log {
  const found: Omit<Sighting, "subject" | "names">[] = [];
  const unknown: { line: number; text: string }[] = [];
  const lines = text.split(/\r\n|\r|\n/);
  lines.slice(0, MAX_LINES).forEach((whole, index) => {
    const line = whole.slice(0, MAX_LINE).trim();
    if (line === "") return;
    const here = recognize(line);
    for (const one of here) found.push({ ...one, line: index + 1 });
    if (here.length === 0) unknown.push({ line: index + 1, text: line });
  });
  return {
    sightings: found.map((one, i) => ({ ...one, ...around(found, i) })),
    unknown,
    unread: Math.max(0, lines.length - MAX_LINES),
  };
}

/** All messages in a line: some are put in front of others. */
function recognize(line: string): Pick<Sighting, "message" | "values" | "text">[] {
  const taken: { readonly from: number; readonly to: number }[] = [];
  const found: (Pick<Sighting, "message" | "values" | "text"> & { readonly from: number })[] = [];
  const bare = withoutPrefix(line);
  for (const { message, format } of RECOGNIZERS) {
    const match = format.match(message.isWholeLine === true ? bare : line);
    if (match === undefined || taken.some(({ from, to }) => match.from < to && from < match.to)) continue;
    taken.push(match);
    const text = message.isWholeLine === true ? bare : line.slice(match.from);
    found.push({ message, values: match.values, text, from: match.from });
  }
  found.sort((a, b) => a.from - b.from);
  // In QEMU 11.1 the last line says the others' messages behind its own, from the outside in: the other way round.
  if (found.length > 1 && found[0]?.message.id === END) found.reverse();
  return found.map(({ message, values, text }) => ({ message, values, text }));
}

/** Time stamps, the program, the option that it is about, and what the line is for QEMU or libvirt. */
function withoutPrefix(line: string): string {
  return line
    .replace(/^\[?\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?\]?:?\s+/, "")
    .replace(/^(?:\S*(?:qemu|kvm)\S*?(?:\[\d+\])?:\s+)+/, "")
    .replace(/^-\S+ \S+:\s+/, "")
    .replace(/^(?:warning|error|info):\s+/i, "");
}

/**
 * QEMU says what is wrong first, then, from the inside out, where: the lines behind name the state and the device. One
 * failure ends with "load of migration failed".
 */
function around(
  found: readonly Omit<Sighting, "subject" | "names">[],
  index: number,
): Pick<Sighting, "subject" | "names"> {
  const own = subjectOf(found[index]);
  const subjects = [own];
  for (let i = index + 1; i < found.length && i <= index + NEAR; i++) {
    subjects.push(subjectOf(found[i]));
    if (isEnd(found[i])) break;
  }
  if (!subjects.some(({ section }) => section !== undefined)) {
    for (let i = index - 1; i >= 0 && i >= index - NEAR && !isEnd(found[i]); i--)
      subjects.push(subjectOf(found[i]));
  }
  const section = subjects.find((one) => one.section !== undefined);
  const subject: Subject = {
    ...(section?.section === undefined ? {} : { section: section.section }),
    ...(section?.instanceId === undefined ? {} : { instanceId: section.instanceId }),
    ...(own.state === undefined ? {} : { state: own.state }),
  };
  const names = subjects.flatMap((one) => [one.section ?? "", one.state ?? ""]).filter((name) => name !== "");
  return { subject, names };
}

function subjectOf(sighting: Omit<Sighting, "subject" | "names"> | undefined): Subject {
  return sighting?.message.subject?.(sighting.values) ?? {};
}

function isEnd(sighting: Omit<Sighting, "subject" | "names"> | undefined): boolean {
  return sighting?.message.id === END;
}
