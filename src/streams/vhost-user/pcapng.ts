/**
 * Reads conversations out of pcapng files: packets of the link type USER0 are pieces of what one side sent, an interface is
 * a session. docs/pcapng.md says what the options mean.
 */
import { PcapngLinkType } from "../../../generated/capture/pcapng.js";
import { streamFault } from "../faults.js";
import { type PcapngInterface, type PcapngPacket, PcapngParser } from "../pcapng/packets.js";
import { readComment } from "./comment.js";
import type { PieceChannel, Side } from "./message.js";
import { headerIn } from "./order.js";
import type { Recording, RecordingHandler } from "./recording.js";

interface Session {
  readonly name: string;
  /** The side that sent what went out. */
  traced: Side | undefined;
}

export class PcapngRecording implements Recording {
  private readonly handler: RecordingHandler;
  private readonly parser: PcapngParser;
  private readonly sessions = new Map<PcapngInterface, Session>();
  private readonly names = new Set<string>();
  private start: number | undefined;
  private others = 0;

  constructor(handler: RecordingHandler) {
    this.handler = handler;
    this.parser = new PcapngParser({
      packet: (packet) => this.packet(packet),
      fault: (fault) => handler.fault(fault),
    });
  }

  push(chunk: Uint8Array): void {
    this.parser.push(chunk);
  }

  end(): void {
    this.parser.end();
    if (this.others > 0) {
      this.handler.note(`${this.others} packets of other link types than USER0 (147) are passed over`);
    }
  }

  private packet(packet: PcapngPacket): void {
    if (packet.interface.linkType !== PcapngLinkType.LINKTYPE_USER0) {
      this.others++;
      return;
    }
    if (packet.data.length === 0) return;
    const { at, data, originalSize, direction } = packet;
    const session = this.sessionOf(packet.interface);
    const said = packet.comments.map(readComment);
    const channel = said.find((one) => one.channel !== undefined)?.channel;
    const from =
      said.find((one) => one.from !== undefined)?.from ?? sideOf(session, direction, data, channel);
    if (from === undefined) {
      this.damage(at, "neither its direction nor a comment says who sent it");
      return;
    }
    if (direction !== undefined) session.traced ??= direction === "outbound" ? from : OTHER[from];
    if (originalSize > data.length)
      this.damage(at, `the recording has ${data.length} of ${originalSize} bytes`);
    if (packet.time !== undefined) this.start ??= packet.time;
    this.handler.piece({
      from,
      bytes: data,
      fds: said.find((one) => one.fds !== undefined)?.fds,
      time: packet.time === undefined ? undefined : packet.time - (this.start ?? 0),
      channel,
      session: session.name,
    });
  }

  private sessionOf(where: PcapngInterface): Session {
    const known = this.sessions.get(where);
    if (known !== undefined) return known;
    const plain = where.name ?? `interface ${where.index}`;
    const name = this.names.has(plain)
      ? `${plain} (section ${where.section}, interface ${where.index})`
      : plain;
    this.names.add(name);
    const made: Session = { name, traced: undefined };
    this.sessions.set(where, made);
    return made;
  }

  private damage(at: number, detail: string): void {
    this.handler.fault(streamFault("capture/pcapng.wire", "constraint", "packet", at, detail));
  }
}

const OTHER: Readonly<Record<Side, Side>> = { fe: "be", be: "fe" };

/** Seen from the recording side, whose part the first message tells: who asks on a channel is whose channel it is. */
function sideOf(
  { traced }: Session,
  direction: PcapngPacket["direction"],
  data: Uint8Array,
  channel: PieceChannel = "frontend",
): Side | undefined {
  if (direction === undefined) return undefined;
  if (traced !== undefined) return direction === "outbound" ? traced : OTHER[traced];
  if (channel === "state") return undefined;
  const header = headerIn(data);
  if (header === undefined) return undefined;
  return (header.reply === 0) === (channel === "frontend") ? "fe" : "be";
}
