import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { recordingForm } from "../../../src/streams/index.js";
import { readComment } from "../../../src/streams/vhost-user/comment.js";
import { outline, readConversation } from "./read.js";

const packets = new Uint8Array(
  readFileSync(new URL("../../captures/vhost-user-qsd.pcapng", import.meta.url)),
);
const captured = readFileSync(new URL("../../captures/vhost-user-qsd.jsonl", import.meta.url), "utf8");

/** What `strace -f -xx` writes of GET_QUEUE_NUM, its reply and SET_VRING_KICK, traced at the front-end. */
const STRACE = [
  '41 10:20:30.000001 sendmsg(7, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="\\x7b\\x7d\\x0a", iov_len=3}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, 0) = 3',
  '41 10:20:30.100000 sendmsg(12, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="\\x11\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00", iov_len=12}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, 0) = 12',
  "41 10:20:30.200000 recvmsg(12, <unfinished ...>",
  "42 10:20:30.250000 recvmsg(9, {msg_namelen=0}, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily unavailable)",
  '41 10:20:30.300000 <... recvmsg resumed>{msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="\\x11\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x08\\x00\\x00\\x00", iov_len=12}], msg_iovlen=1, msg_controllen=0, msg_flags=MSG_CMSG_CLOEXEC}, MSG_CMSG_CLOEXEC) = 12',
  '41 10:20:30.400000 read(12, "\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00", 8) = 8',
  '41 10:20:30.500000 sendmsg(12, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="\\x0c\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x08\\x00\\x00\\x00", iov_len=12}, {iov_base="\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00", iov_len=8}], msg_iovlen=2, msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[21]}], msg_controllen=24, msg_flags=0}, MSG_NOSIGNAL) = 20',
  "+++ exited with 0 +++",
].join("\n");

describe("recordings", () => {
  it.each([1, 100, 4097])("as lines of JSON are read in chunks of %i bytes as in one", (chunk) => {
    const whole = readConversation(captured);
    const split = readConversation(captured, "jsonl", chunk);
    expect(outline(split)).toEqual(outline(whole));
    expect(split.faults).toEqual([]);
  });

  it.each([
    ["no JSON", "{"],
    ["no JSON object", "[]"],
    ["from is neither", '{"from":"x","hex":""}'],
    ["hex is no text", '{"from":"fe","hex":"0"}'],
    ["hex is no text", '{"from":"fe","hex":12}'],
    ["fds is no count", '{"from":"fe","hex":"","fds":-1}'],
    ["t is no number", '{"from":"fe","hex":"","t":"now"}'],
    ["channel is neither", '{"from":"fe","hex":"","channel":1}'],
    ["too long", `{"from":"fe","hex":"${"00".repeat(1 << 20)}"}`],
  ])("name a line with %s", (what, line) => {
    const { faults } = readConversation(`\n${line}\n`);
    expect(faults).toEqual([expect.stringContaining(`line 2: ${what}`)]);
  });

  it.each([
    ["one piece", 1 << 20],
    ["7 bytes", 7],
  ])("of strace are read, in %s", (_, chunk) => {
    const read = readConversation(STRACE, "strace", chunk);
    expect(outline(read)).toEqual([
      "fe VHOST_USER_GET_QUEUE_NUM",
      "be VHOST_USER_GET_QUEUE_NUM <- 0",
      "fe VHOST_USER_SET_VRING_KICK +1",
    ]);
    expect(read.events[1]).toMatchObject({
      message: { time: 10 * 3600 + 20 * 60 + 30.3, body: { body: { value: { queueNum: 2n } } } },
    });
    expect(read.faults).toEqual([]);
  });

  it("of strace at the back-end have the sides the other way round", () => {
    const there = STRACE.replaceAll("sendmsg", "x")
      .replaceAll("recvmsg", "sendmsg")
      .replaceAll("x(", "recvmsg(");
    const read = readConversation(there.replace("read(12", "write(12"), "strace");
    expect(outline(read)).toEqual([
      "fe VHOST_USER_GET_QUEUE_NUM",
      "be VHOST_USER_GET_QUEUE_NUM <- 0",
      "fe VHOST_USER_SET_VRING_KICK +1",
    ]);
  });

  it("of strace that lack bytes say so", () => {
    const cut = STRACE.replace('\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00", 8', '\\x02\\x00"..., 8');
    expect(readConversation(cut, "strace").faults).toEqual([
      "line 6: strace has cut the bytes: trace with -s 8192",
    ]);
    expect(readConversation("write(1, 2) = 3\n", "strace").faults).toEqual([
      "line 1: no call in the log moves a vhost-user message",
    ]);
  });

  it("in pcapng say what the lines of JSON say of the same session", () => {
    expect(recordingForm(packets)).toBe("pcapng");
    for (const chunk of [1, 1000, packets.length]) {
      const read = readConversation(packets, "pcapng", chunk);
      expect(outline(read)).toEqual(outline(readConversation(captured)));
      expect([read.rules, read.faults, read.notes]).toEqual([[], [], []]);
    }
  });

  it("in pcapng may be made at the back-end: the first message tells", () => {
    const there = packets.slice();
    // epb_flags, code 2 of 4 bytes: inbound becomes outbound and the other way round.
    for (let at = 0; at + 8 <= there.length; at += 4) {
      const isFlags = there[at] === 2 && there[at + 1] === 0 && there[at + 2] === 4 && there[at + 3] === 0;
      if (isFlags) there[at + 4] = 3 - (there[at + 4] as number);
    }
    expect(outline(readConversation(there, "pcapng"))).toEqual(outline(readConversation(captured)));
  });

  it.each([
    ["fds=2", { fds: 2 }],
    ["handed over: fds=1, channel=backend; from=be", { fds: 1, channel: "backend", from: "be" }],
    ["nofds=2 fds=x channel=other fds=99999", {}],
  ])("in pcapng take words from comments: %s", (text, said) => {
    expect(readComment(text)).toEqual(said);
  });

  it.each(["fe", "be"] as const)("of the bytes of one direction are read: %s", (side) => {
    const hex = captured
      .trimEnd()
      .split("\n")
      .map((line): { from: string; hex: string } => JSON.parse(line))
      .filter(({ from }) => from === side)
      .map((line) => line.hex);
    const bytes = Uint8Array.from(Buffer.from(hex.join(""), "hex"));
    expect(recordingForm(bytes.subarray(0, 4096))).toBe("raw");
    for (const chunk of [1, 5, 1 << 20]) {
      const read = readConversation(bytes, "raw", chunk);
      expect(outline(read)).toHaveLength(hex.length);
      // Nothing is missing of what the other side has sent: it is not in the recording.
      expect([read.rules, read.faults]).toEqual([[], []]);
      expect(read.notes).toEqual([expect.stringMatching(/^one direction/)]);
    }
  });
});
