/** What the forms in which conversations are recorded have in common. */
import type { Fault } from "../../runtime/index.js";
import { streamFault } from "../faults.js";
import type { Piece } from "./message.js";

/** Pushed bytes of a recording, in chunks of any size; pieces come out. */
export interface Recording {
  push(chunk: Uint8Array): void;
  end(): void;
}

export interface RecordingHandler {
  piece(piece: Piece): void;
  /** Part of the recording itself cannot be read. The offset is that in the file. */
  fault(fault: Fault): void;
  /** What a reader should know although nothing is wrong. */
  note(text: string): void;
}

/** A fault of the line of a text. */
export function lineFault(number: number, at: number, detail: string): Fault {
  return streamFault("recording", "constraint", `line ${number}`, at, detail);
}
