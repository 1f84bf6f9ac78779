import { describe, expect, it } from "vitest";
import { openRecording, type Piece } from "../../../src/streams/index.js";
import { bytes, le } from "../wire-bytes.js";

const REPLY = 4;
const GET_QUEUE_NUM = 17;
const SET_BACKEND_REQ_FD = 21;
const CONFIG_CHANGE = 2;

/** A line of a log: a message of that header, without payload. */
function call(name: string, fd: string, request: number, flags = 0, rights?: string): string {
  const hex = [...bytes(le(4, request), le(4, flags + 1), le(4, 0))]
    .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
    .join("");
  const control = rights === undefined ? "" : `, msg_control=[{cmsg_type=SCM_RIGHTS, cmsg_data=[${rights}]}]`;
  return `${name}(${fd}, {msg_iov=[{iov_base="${hex}", iov_len=12}], msg_iovlen=1${control}, msg_flags=0}, 0) = 12`;
}

function sessions(...lines: string[]): string[] {
  const pieces: Piece[] = [];
  const recording = openRecording("strace", {
    piece: (piece) => pieces.push(piece),
    fault: ({ detail }) => expect.fail(detail ?? ""),
    note: () => {},
  });
  recording.push(new TextEncoder().encode(lines.join("\n")));
  recording.end();
  return pieces.map(({ session, channel, from, fds }) => `${session} ${channel} ${from} ${fds}`);
}

describe("the sockets in a log of strace", () => {
  it("are told apart, each a session", () => {
    expect(
      sessions(
        call("sendmsg", "12", GET_QUEUE_NUM),
        call("sendmsg", "14", GET_QUEUE_NUM),
        call("recvmsg", "14", GET_QUEUE_NUM, REPLY),
        call("recvmsg", "12", GET_QUEUE_NUM, REPLY),
      ),
    ).toEqual(["fd 12 frontend fe 0", "fd 14 frontend fe 0", "fd 14 frontend be 0", "fd 12 frontend be 0"]);
  });

  it("belong together where the front-end hands out a channel for the back-end", () => {
    expect(
      sessions(
        call("sendmsg", "12", GET_QUEUE_NUM),
        call("sendmsg", "14", SET_BACKEND_REQ_FD, 0, "17"),
        call("recvmsg", "16", CONFIG_CHANGE),
        call("recvmsg", "18", GET_QUEUE_NUM),
      ),
    ).toEqual([
      "fd 12 frontend fe 0",
      "fd 14 frontend fe 1",
      "fd 14 backend be 0",
      // No session waits for a channel any more: the program is the back-end of another.
      "fd 18 frontend fe 0",
    ]);
  });

  it("belong together where the back-end receives the channel's descriptor", () => {
    expect(
      sessions(
        call("recvmsg", "5<UNIX:[7->8]>", SET_BACKEND_REQ_FD, 0, "9<UNIX:[3->4]>"),
        call("sendmsg", "9<UNIX:[3->4]>", CONFIG_CHANGE),
      ),
    ).toEqual(["fd 5<UNIX:[7->8]> frontend fe 1", "fd 5<UNIX:[7->8]> backend be 0"]);
  });

  it("are another session once they were closed, or are another process's", () => {
    expect(
      sessions(
        call("sendmsg", "12<socket:[1]>", GET_QUEUE_NUM),
        call("recvmsg", "12<socket:[2]>", GET_QUEUE_NUM),
        call("sendmsg", "13", GET_QUEUE_NUM),
        "close(13) = 0",
        call("recvmsg", "13", GET_QUEUE_NUM),
      ),
    ).toEqual([
      "fd 12<socket:[1]> frontend fe 0",
      "fd 12<socket:[2]> frontend fe 0",
      "fd 13 frontend fe 0",
      "fd 13 (4) frontend fe 0",
    ]);
  });
});
