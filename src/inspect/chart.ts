/**
 * Draws a conversation as a sequence chart: the front-end on the left, the back-end on the right, an arrow for each message,
 * and beside it what the message says. The summary follows.
 */

import { describeFault } from "./fault-text.js";
import type { Node } from "./node.js";
import { type CaptureRecord, hex, printable, type Sink, type Summary } from "./report.js";
import { type TextOptions, TextRenderer } from "./text.js";

/** Between the two lines of life. */
const WIDTH = 58;
/** Of what a message says, before it goes on in the next line. */
const SAID = 72;
/** A table of regions can say a lot; `-v` shows all of it. */
const MAX_LINES = 6;

type Write = (text: string) => void;

export class ChartRenderer implements Sink {
  private readonly text: TextRenderer;
  private readonly write: Write;
  private readonly colour: boolean;
  private isFirst = true;
  private session: string | undefined;

  constructor(options: TextOptions, write: Write) {
    this.text = new TextRenderer(options);
    this.colour = options.colour;
    this.write = write;
  }

  record(record: CaptureRecord): void {
    this.text.record(record);
    if (this.isFirst) this.line("", "", `${"front-end".padEnd(WIDTH - 6)}back-end`);
    this.isFirst = false;
    const { attributes } = record;
    const { session } = attributes;
    if (typeof session === "string" && session !== this.session) {
      this.line("", "", `[${printable(session)}]`);
      this.session = session;
    }
    if (record.record === "message") {
      const { t, index } = attributes;
      const time = typeof t === "number" ? t.toFixed(6) : "";
      const said = wrapped(saying(record));
      this.line(time, String(index), arrow(record), said[0]);
      for (const more of said.slice(1)) this.line("", "", `│${" ".repeat(WIDTH)}│`, more);
    }
    if (record.record === "state") {
      const { t, format } = attributes;
      const time = typeof t === "number" ? t.toFixed(6) : "";
      this.line(time, "", stateArrow(record), typeof format === "string" ? format : undefined);
    }
    for (const fault of record.faults) this.trouble(`${hex(fault.offset)}: ${describeFault(fault)}`);
    const { rules, broken } = attributes;
    if (Array.isArray(rules) && Array.isArray(broken)) {
      const of = record.record === "unanswered" ? ` (message ${attributes["index"]}, ${record.name})` : "";
      rules.forEach((rule, i) => this.trouble(`${rule}: ${broken[i]}${of}`));
    }
  }

  finish(summary: Summary, write: Write): void {
    if (!this.isFirst) write("\n");
    this.text.finish(summary, write);
  }

  private line(time: string, index: string, drawing: string, said?: string): void {
    const text = `${time.padStart(14)} ${index.padStart(5)}  ${drawing}${said === undefined ? "" : `  ${said}`}`;
    this.write(`${text.trimEnd()}\n`);
  }

  private trouble(text: string): void {
    const line = `! ${printable(text)}`;
    this.line("", "", this.colour ? `\u001b[31m${line}\u001b[39m` : line);
  }
}

/** `│── VHOST_USER_GET_FEATURES, 1 fd ────▶│`. Of the back-end's own channel the line is double. */
function arrow({ name, attributes }: CaptureRecord): string {
  const { from, channel, reply, need_reply, fds } = attributes;
  const dash = channel === "backend" ? "═" : "─";
  const marks = [
    reply === true ? "reply" : "",
    need_reply === true ? "need_reply" : "",
    typeof fds === "number" && fds > 0 ? `${fds} fd${fds === 1 ? "" : "s"}` : "",
  ].filter((mark) => mark !== "");
  const label = ` ${printable(name)}${marks.length === 0 ? "" : `, ${marks.join(", ")}`} `;
  const room = Math.max(2, WIDTH - label.length - 3);
  return from === "fe"
    ? `│${dash.repeat(2)}${label}${dash.repeat(room)}▶│`
    : `│◀${dash.repeat(room)}${label}${dash.repeat(2)}│`;
}

/** `│◀╌╌╌╌ device state, 1,234 bytes ╌╌│`. What the pipe of the transfer held, and not the sockets. */
function stateArrow({ name, size, attributes: { from } }: CaptureRecord): string {
  const label = ` ${printable(name)}, ${size.toLocaleString("en-US")} bytes `;
  const room = Math.max(2, WIDTH - label.length - 3);
  return from === "fe" ? `│╌╌${label}${"╌".repeat(room)}▶│` : `│◀${"╌".repeat(room)}${label}╌╌│`;
}

/** The fields of the payload as words. The header is drawn. */
function saying(record: CaptureRecord): string[] {
  const headerSize = record.fields?.find(({ name }) => name === "size");
  const payload = record.fields?.filter(
    ({ at }) => headerSize !== undefined && at >= headerSize.at + headerSize.size,
  );
  return (payload ?? []).flatMap((node) => words(node, ""));
}

function words(node: Node, path: string): string[] {
  if (node.role === "reserved") return [];
  const name = node.index < 0 ? node.name : `${path}[${node.index}]`;
  if (node.children !== undefined) {
    // The outermost node is the message itself, whose name stands on the arrow.
    return node.children.flatMap((child) => words(child, node.index < 0 ? child.name : name));
  }
  const { value, meaning } = node;
  if (value === undefined) return [];
  if (value instanceof Uint8Array) return [`${name} ${value.length} bytes`];
  if (typeof value === "string") return [`${name} ${JSON.stringify(value)}`];
  const number = value > 9 ? hex(value) : String(value);
  return meaning === undefined ? [`${name} ${number}`] : [`${name} ${number}:`, ...meaning.split(/,? /)];
}

function wrapped(parts: readonly string[]): string[] {
  const lines: string[] = [];
  for (const part of parts.map(printable)) {
    const last = lines[lines.length - 1];
    if (last === undefined || last.length + part.length + 1 > SAID) lines.push(part);
    else lines[lines.length - 1] = `${last} ${part}`;
  }
  if (lines.length <= MAX_LINES) return lines;
  return [...lines.slice(0, MAX_LINES - 1), `… ${lines.length - MAX_LINES + 1} more lines (-v shows all)`];
}
