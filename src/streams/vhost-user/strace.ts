/**
 * Reads conversations out of the log of `strace -f -xx -s 8192 -e trace=sendmsg,recvmsg,read,write`, attached to either
 * side. Which descriptors are vhost-user sockets, and which side was traced, is told by the first bytes on each.
 */
import { Lines } from "./lines.js";
import type { Side } from "./message.js";
import { lineFault, type Recording, type RecordingHandler } from "./recording.js";
import { Sockets, type Transfer } from "./sockets.js";

interface Call extends Transfer {
  readonly time: number | undefined;
  /** The log has fewer bytes than the call moved. */
  readonly isCut: boolean;
}

/** Calls of other threads can stand between the two halves of one; as many threads as this are followed. */
const MAX_UNFINISHED = 1024;

export class StraceRecording implements Recording {
  private readonly handler: RecordingHandler;
  private readonly lines = new Lines((text, at, number) => this.line(text, at, number));
  private readonly unfinished = new Map<string, string>();
  private readonly sockets = new Sockets();
  private hasMessages = false;

  constructor(handler: RecordingHandler) {
    this.handler = handler;
  }

  push(chunk: Uint8Array): void {
    this.lines.push(chunk);
  }

  end(): void {
    this.lines.end();
    if (!this.hasMessages) {
      this.handler.fault(lineFault(1, 0, "no call in the log moves a vhost-user message"));
    }
  }

  private line(text: string | undefined, at: number, number: number): void {
    if (text === undefined) {
      this.handler.fault(lineFault(number, at, "too long"));
      return;
    }
    const whole = this.join(text);
    if (whole === undefined) return;
    const closed = CLOSE.exec(whole);
    if (closed !== null) this.sockets.close(socketName(closed[1], closed[2]));
    const call = parseCall(whole);
    if (call === undefined || call.bytes.length === 0) return;
    const socket = this.sockets.of(call);
    if (socket === undefined) return;
    this.hasMessages = true;
    if (call.isCut) {
      this.handler.fault(lineFault(number, at, "strace has cut the bytes: trace with -s 8192"));
    }
    const { session, channel } = socket;
    const from: Side = call.isSent === (session.traced === "fe") ? "fe" : "be";
    const { bytes, rights, time } = call;
    this.handler.piece({ from, bytes, fds: rights.length, time, channel, session: session.name });
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
}

const UNFINISHED = "<unfinished ...>";
const NAME = /(?:sendmsg|recvmsg|read|write)\(/;

/** A time of day (`-t`, `-tt`), since the epoch (`-ttt`) or since the last call (`-r`) may stand in front. */
const CALL =
  /^(?:\[pid +\d+\] |\d+ +)?(?:(?:(\d+):(\d+):(\d+(?:\.\d+)?)|(\d+\.\d+)) +)?(sendmsg|recvmsg|read|write)\((\d+)(<.*?>)?, ?(.*)\) += (\d+)/;

const CLOSE = /(?:^|[ \]])close\((\d+)(<.*?>)?\) += 0/;

/** The call of a line; undefined for other lines, and for calls that failed. */
function parseCall(line: string): Call | undefined {
  const match = CALL.exec(line);
  if (match === null) return undefined;
  const [, hours, minutes, seconds, since, name = "", fd, shown, rest = "", moved] = match;
  const clock =
    hours === undefined ? undefined : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  const strings = name.endsWith("msg")
    ? /iov_base="((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g
    : /"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g;
  const digits = [...rest.matchAll(strings)].map(([, text = ""]) => text.replaceAll("\\x", "")).join("");
  const size = Number(moved);
  const length = Math.min(digits.length / 2, size);
  const bytes = Uint8Array.from({ length }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  const rights = /SCM_RIGHTS, cmsg_data=\[(.*?)\](?=[,}])/.exec(rest)?.[1] ?? "";
  return {
    socket: socketName(fd, shown),
    isSent: name === "sendmsg" || name === "write",
    isMessage: name.endsWith("msg"),
    bytes,
    rights: [...rights.matchAll(/(\d+)(<.*?>)?(?:, |$)/g)].map((match) => socketName(match[1], match[2])),
    time: since === undefined ? clock : Number(since),
    isCut: length < size,
  };
}

/** With `-y`, strace shows behind the number what it stands for: that tells apart the sockets of several processes. */
function socketName(fd: string | undefined, shown = ""): string {
  return `fd ${fd}${shown}`;
}
