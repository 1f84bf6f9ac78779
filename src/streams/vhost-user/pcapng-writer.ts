/** Writes conversations into pcapng files, in the form that docs/pcapng.md describes. */
import { PcapngLinkType } from "../../../generated/capture/pcapng.js";
import { PcapngWriter } from "../pcapng/writer.js";
import type { PieceChannel, Side } from "./message.js";

/** What was sent over one socket or pipe, as it was read from it. */
export interface RecordedPiece {
  readonly from: Side;
  readonly channel: PieceChannel;
  readonly bytes: Uint8Array;
  /** Descriptors that came along with the first byte. */
  readonly fds: number;
  /** In nanoseconds since 1970. */
  readonly time: bigint;
  /** Names the connection. */
  readonly session: string;
}

export class ConversationWriter {
  private readonly file: PcapngWriter;
  private readonly sessions = new Map<string, number>();

  /** `write` gets the file from its first byte on. */
  constructor(write: (bytes: Uint8Array) => void) {
    this.file = new PcapngWriter(write);
  }

  piece({ from, channel, bytes, fds, time, session }: RecordedPiece): void {
    let id = this.sessions.get(session);
    if (id === undefined) {
      id = this.file.addInterface(PcapngLinkType.LINKTYPE_USER0, session);
      this.sessions.set(session, id);
    }
    const words = [`from=${from}`, `channel=${channel}`];
    // A pipe carries no descriptors: there is nothing to count.
    if (channel !== "state") words.push(`fds=${fds}`);
    this.file.packet(id, bytes, {
      time,
      direction: from === "fe" ? "outbound" : "inbound",
      comment: words.join(" "),
    });
  }
}
