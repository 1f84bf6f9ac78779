/**
 * Reads conversations out of the log of `strace -f -xx -s 8192 -e trace=sendmsg,recvmsg,read,write`, attached to either
 * side. Which descriptors are vhost-user sockets, and which side was traced, is told by the first bytes on each.
 */
import { VHOST_USER_HEADER_SIZE } from "../../../generated/vhost-user/messages.js";
import { rowOf } from "./contract.js";
import { Lines } from "./lines.js";
import type { Channel, Side } from "./message.js";
import { orderOfHeader, soundHeader } from "./order.js";
import { lineFault, type Recording, type RecordingHandler } from "./recording.js";

interface Call {
  readonly name: string;
  readonly fd: number;
  readonly bytes: Uint8Array;
  readonly fds: number;
  readonly time: number | undefined;
  /** The log has fewer bytes than the call moved. */
  readonly isCut: boolean;
}

/** Calls of other threads can stand between the two halves of one; as many threads as this are followed. */
const MAX_UNFINISHED = 1024;
/** Descriptors that are told apart. */
const MAX_SOCKETS = 4096;

export class StraceRecording implements Recording {
  private readonly handler: RecordingHandler;
  private readonly lines = new Lines((text, at, number) => this.line(text, at, number));
  private readonly unfinished = new Map<string, string>();
  /** By descriptor; false for what is no vhost-user socket, or another session's. */
  private readonly sockets = new Map<number, Channel | false>();
  private traced: Side | undefined;
  private others = 0;

  constructor(handler: RecordingHandler) {
    this.handler = handler;
  }

  push(chunk: Uint8Array): void {
    this.lines.push(chunk);
  }

  end(): void {
    this.lines.end();
    if (this.traced === undefined) {
      this.handler.fault(lineFault(1, 0, "no call in the log moves a vhost-user message"));
    }
    if (this.others > 0) {
      this.handler.note(
        `${this.others} more vhost-user sockets are in the log; the first of each kind is shown`,
      );
    }
  }

  private line(text: string | undefined, at: number, number: number): void {
    if (text === undefined) {
      this.handler.fault(lineFault(number, at, "too long"));
      return;
    }
    const whole = this.join(text);
    const call = whole === undefined ? undefined : parseCall(whole);
    if (call === undefined || call.bytes.length === 0) return;
    const isSent = call.name === "sendmsg" || call.name === "write";
    const channel = this.channelOf(call, isSent);
    if (channel === false || this.traced === undefined) return;
    if (call.isCut) {
      this.handler.fault(lineFault(number, at, "strace has cut the bytes: trace with -s 8192"));
    }
    const other: Side = this.traced === "fe" ? "be" : "fe";
    const { bytes, fds, time } = call;
    this.handler.piece({ from: isSent ? this.traced : other, bytes, fds, time, channel });
  }

  /** The whole line of a call. Undefined while its second half is still to come. */
  private join(text: string): string | undefined {
    const [, thread = ""] = /^(?:\[pid +)?(\d+)?\]? /.exec(text) ?? [];
    const cut = text.indexOf(UNFINISHED);
    if (cut >= 0) {
      const begun = text.slice(Math.max(0, text.search(NAME)), cut).trimEnd();
      if (this.unfinished.size < MAX_UNFINISHED) this.unfinished.set(thread, begun);
      return undefined;
    }
    const resumed = /<\.\.\. \w+ resumed>,? ?/.exec(text);
    if (resumed === null) return text;
    const begun = this.unfinished.get(thread);
    this.unfinished.delete(thread);
    if (begun === undefined) return undefined;
    // A read that waits ends when the message is there: the time of the second half counts.
    return text.slice(0, resumed.index) + begun + text.slice(resumed.index + resumed[0].length);
  }

  private channelOf(call: Call, isSent: boolean): Channel | false {
    const known = this.sockets.get(call.fd);
    if (known !== undefined) return known;
    // What is read or written otherwise may be anything: only messages can be told.
    if (call.name === "read" || call.name === "write") return false;
    const channel = this.tell(call, isSent);
    if (this.sockets.size < MAX_SOCKETS) this.sockets.set(call.fd, channel);
    return channel;
  }

  private tell({ bytes }: Call, isSent: boolean): Channel | false {
    const bare = bytes.subarray(0, VHOST_USER_HEADER_SIZE);
    const order = orderOfHeader(bare);
    const header = order === undefined ? undefined : soundHeader(bare, order);
    if (header === undefined) return false;
    const { request, reply } = header;
    const asks = isSent === (reply === 0);
    // The side that asks on the first socket is the front-end, on the second the back-end.
    const channel: Channel =
      this.traced === undefined || asks === (this.traced === "fe") ? "frontend" : "backend";
    if (rowOf(channel, request) === undefined) return false;
    if ([...this.sockets.values()].includes(channel)) {
      this.others++;
      return false;
    }
    this.traced ??= asks ? "fe" : "be";
    return channel;
  }
}

const UNFINISHED = "<unfinished ...>";
const NAME = /(?:sendmsg|recvmsg|read|write)\(/;

/** A time of day (`-t`, `-tt`), since the epoch (`-ttt`) or since the last call (`-r`) may stand in front. */
const CALL =
  /^(?:\[pid +\d+\] |\d+ +)?(?:(?:(\d+):(\d+):(\d+(?:\.\d+)?)|(\d+\.\d+)) +)?(sendmsg|recvmsg|read|write)\((\d+)(?:<[^>]*>)?, ?(.*)\) += (\d+)/;

/** The call of a line; undefined for other lines, and for calls that failed. */
function parseCall(line: string): Call | undefined {
  const match = CALL.exec(line);
  if (match === null) return undefined;
  const [, hours, minutes, seconds, since, name = "", fd, rest = "", moved] = match;
  const clock =
    hours === undefined ? undefined : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  const strings = name.endsWith("msg")
    ? /iov_base="((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g
    : /"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g;
  const digits = [...rest.matchAll(strings)].map(([, text = ""]) => text.replaceAll("\\x", "")).join("");
  const size = Number(moved);
  const length = Math.min(digits.length / 2, size);
  const bytes = Uint8Array.from({ length }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  const rights = /SCM_RIGHTS, cmsg_data=\[([^\]]*)\]/.exec(rest)?.[1];
  return {
    name,
    fd: Number(fd),
    bytes,
    fds: rights === undefined || rights === "" ? 0 : rights.split(", ").length,
    time: since === undefined ? clock : Number(since),
    isCut: length < size,
  };
}
