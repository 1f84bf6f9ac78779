/**
 * Reads conversations that are written as a line of JSON a message or a read:
 * `{"t": 0.013, "from": "fe", "fds": 1, "hex": "0d00…"}`. `t` is in seconds, `fds` counts descriptors, and
 * `"channel": "backend"` marks the back-end's own channel where the recording tells the two apart, `"state"` the pipe of
 * the device state, `"session"` names the
 * connection where it holds several.
 */
import { Lines } from "./lines.js";
import type { Piece } from "./message.js";
import { lineFault, type Recording, type RecordingHandler } from "./recording.js";

export class JsonLinesRecording implements Recording {
  private readonly handler: RecordingHandler;
  private readonly lines = new Lines((text, at, number) => this.line(text, at, number));

  constructor(handler: RecordingHandler) {
    this.handler = handler;
  }

  push(chunk: Uint8Array): void {
    this.lines.push(chunk);
  }

  end(): void {
    this.lines.end();
  }

  private line(text: string | undefined, at: number, number: number): void {
    if (text?.trim() === "") return;
    const piece = text === undefined ? "too long" : parse(text);
    if (typeof piece === "string") this.handler.fault(lineFault(number, at, piece));
    else this.handler.piece(piece);
  }
}

/** The piece, or what is wrong with the line. */
function parse(text: string): Piece | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "no JSON";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "no JSON object";
  const members = new Map<string, unknown>(Object.entries(value));
  const from = members.get("from");
  if (from !== "fe" && from !== "be") return 'from is neither "fe" nor "be"';
  const hex = members.get("hex");
  const bytes = typeof hex === "string" ? bytesOfHex(hex) : undefined;
  if (bytes === undefined) return "hex is no text of whole bytes in hexadecimal digits";
  const fds = members.get("fds");
  if (fds !== undefined && !(typeof fds === "number" && Number.isSafeInteger(fds) && fds >= 0)) {
    return "fds is no count";
  }
  const time = members.get("t");
  if (time !== undefined && typeof time !== "number") return "t is no number";
  const channel = members.get("channel");
  if (channel !== undefined && channel !== "frontend" && channel !== "backend" && channel !== "state") {
    return 'channel is neither "frontend", "backend" nor "state"';
  }
  const session = members.get("session");
  if (session !== undefined && typeof session !== "string") return "session is no text";
  return { from, bytes, fds, time, channel, session };
}

function bytesOfHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
