import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ConversationEvent,
  ConversationParser,
  judgeEvent,
  type Piece,
} from "../../../src/streams/index.js";
import { outline, type Read, readConversation } from "./read.js";
import { REGION, Talk } from "./talk.js";

const captured = readFileSync(new URL("../../captures/vhost-user-qsd.jsonl", import.meta.url), "utf8");

interface Line {
  readonly t: number;
  readonly from: "fe" | "be";
  readonly fds: number;
  readonly hex: string;
}

const lines: readonly Line[] = captured
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line));

function parse(pieces: readonly Piece[]): Read {
  const events: ConversationEvent[] = [];
  const parser = new ConversationParser((event, session) => {
    events.push(event);
    judgeEvent(event, session);
  });
  for (const piece of pieces) parser.push(piece);
  parser.end();
  return { events, findings: [], rules: [], faults: [], notes: [] };
}

function piece({ from, fds, hex }: Line): Piece {
  return { from, fds, bytes: Uint8Array.from(Buffer.from(hex, "hex")) };
}

describe("the conversation parser", () => {
  it("matches every reply of a real session with the request before it", () => {
    const read = readConversation(captured);
    expect(read.events).toHaveLength(74);
    // In this session the front-end waits for each reply, so that the request is the message before.
    read.events.forEach((event, index) => {
      if (event.kind !== "message") throw new Error(event.kind);
      const { message } = event;
      expect(message.body).toBeDefined();
      expect([message.from, message.fds, message.time]).toEqual([
        lines[index]?.from,
        lines[index]?.fds,
        lines[index]?.t,
      ]);
      expect(message.answers?.index).toBe(message.from === "be" ? index - 1 : undefined);
    });
  });

  it("decodes what the bytes of the real session say", () => {
    const { events } = readConversation(captured);
    const bodies = events.map((event) => (event.kind === "message" ? event.message.body?.body : undefined));
    expect(bodies[30]).toMatchObject({
      case: "vhostUserAddMemReg",
      value: { region: { guestPhysAddr: 0n, memorySize: 160n << 20n } },
    });
    expect(bodies[62]).toMatchObject({ value: { base: { case: "log", value: { mmapSize: 0x1400n } } } });
    // qemu-storage-daemon answers with what is left over of the size.
    expect(bodies[63]).toMatchObject({ value: { reply: { case: "number", value: { value: 0x1400n } } } });
    expect(bodies[73]).toMatchObject({ value: { split: { index: 0, availIdx: 9 } } });
  });

  it.each([1, 3, 11, 13, 64])("puts messages together from reads of %i bytes", (size) => {
    const torn = lines.flatMap((line) => {
      const { bytes, from, fds } = piece(line);
      const parts: Piece[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        parts.push({ from, bytes: bytes.subarray(at, at + size), fds: at === 0 ? (fds ?? 0) : 0 });
      }
      return parts;
    });
    expect(outline(parse(torn))).toEqual(outline(parse(lines.map(piece))));
  });

  it("tells apart messages that one read brings, and gives the descriptors to the first", () => {
    const asked = lines.filter(({ from }) => from === "fe");
    const bytes = Uint8Array.from(Buffer.from(asked.map(({ hex }) => hex).join(""), "hex"));
    const read = outline(parse([{ from: "fe", bytes, fds: 2 }]));
    expect(read).toHaveLength(asked.length);
    expect(read[0]).toBe("fe VHOST_USER_GET_FEATURES +2");
    expect(read[1]).toBe("fe VHOST_USER_GET_PROTOCOL_FEATURES");
  });

  it("gives descriptors that come with a later part of a message to that message", () => {
    const kick = Uint8Array.from(Buffer.from("0c00000001000000080000000000000000000000", "hex"));
    const read = parse([
      { from: "fe", bytes: kick.subarray(0, 12), fds: 0 },
      { from: "fe", bytes: kick.subarray(12), fds: 1 },
    ]);
    expect(outline(read)).toEqual(["fe VHOST_USER_SET_VRING_KICK +1"]);
  });

  it("reads a conversation of a big-endian machine", () => {
    // GET_QUEUE_NUM and its reply, 2.
    const read = parse([
      { from: "fe", bytes: Uint8Array.from(Buffer.from("000000110000000100000000", "hex")) },
      { from: "be", bytes: Uint8Array.from(Buffer.from("0000001100000005000000080000000000000002", "hex")) },
    ]);
    expect(outline(read)).toEqual(["fe VHOST_USER_GET_QUEUE_NUM", "be VHOST_USER_GET_QUEUE_NUM <- 0"]);
    expect(read.events[1]).toMatchObject({ message: { body: { body: { value: { queueNum: 2n } } } } });
  });

  it("keeps the back-end's channel apart, also where the recording does not", () => {
    const talk = new Talk()
      .begin({ protocol: ["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_REPLY_ACK"] })
      .ask({ case: "vhostUserSetBackendReqFd", value: undefined }, { fds: 1 })
      .ask({ case: "vhostUserGetFeatures", value: undefined })
      .backendAsks({ case: "vhostUserBackendConfigChangeMsg", value: undefined }, { needReply: true })
      .frontendAnswers({ case: "vhostUserBackendConfigChangeMsg", value: { value: 0n } })
      .answer({ case: "vhostUserGetFeatures", value: { features: 0n } });
    const told = talk.text();
    const expected = [
      "fe VHOST_USER_GET_FEATURES",
      "be VHOST_USER_BACKEND_CONFIG_CHANGE_MSG",
      "fe VHOST_USER_BACKEND_CONFIG_CHANGE_MSG <- 9",
      "be VHOST_USER_GET_FEATURES <- 8",
    ];
    expect(outline(readConversation(told)).slice(8)).toEqual(expected);
    const untold = told.replaceAll(/"channel":"\w+",/g, "");
    expect(outline(readConversation(untold)).slice(8)).toEqual(expected);
  });

  it("follows postcopy: the table comes back unasked, and the second table is the acknowledgement", () => {
    const regions = [{ ...REGION, mmapOffset: 0n }];
    const talk = new Talk()
      .begin({ protocol: ["VHOST_USER_PROTOCOL_F_PAGEFAULT", "VHOST_USER_PROTOCOL_F_REPLY_ACK"] })
      .ask({ case: "vhostUserPostcopyAdvise", value: undefined })
      .answer({ case: "vhostUserPostcopyAdvise", value: undefined }, { fds: 1 })
      .ask({ case: "vhostUserPostcopyListen", value: undefined }, { needReply: true })
      .answer({ case: "vhostUserPostcopyListen", value: { value: 0n } })
      .ask({ case: "vhostUserSetMemTable", value: { regions } }, { fds: 1 })
      .answer({ case: "vhostUserSetMemTable", value: { reply: { case: "memory", value: { regions } } } })
      .ask({ case: "vhostUserSetMemTable", value: {} });
    const read = readConversation(talk.text());
    expect(read.rules).toEqual([]);
    expect(read.events[11]).toMatchObject({ message: { expects: "always" } });
    expect(read.events[13]).toMatchObject({ message: { expects: "never" } });
  });

  it("takes the number that QEMU sends after an ADD_MEM_REG of postcopy, and only there", () => {
    const region = { ...REGION, mmapOffset: 0n };
    const number = '{"from":"fe","fds":0,"hex":"2500000001000000080000000000000000000000"}\n';
    const slots = "VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS";
    const talk = new Talk()
      .begin({ protocol: ["VHOST_USER_PROTOCOL_F_PAGEFAULT", slots] })
      .ask({ case: "vhostUserPostcopyAdvise", value: undefined })
      .answer({ case: "vhostUserPostcopyAdvise", value: undefined }, { fds: 1 })
      .ask({ case: "vhostUserPostcopyListen", value: undefined })
      .ask({ case: "vhostUserAddMemReg", value: { region } }, { fds: 1 })
      .answer({ case: "vhostUserAddMemReg", value: { reply: { case: "memory", value: { region } } } });
    expect(readConversation(talk.text() + number).rules).toEqual([]);
    const before = new Talk().begin({ protocol: [slots] });
    expect(readConversation(before.text() + number).rules).toEqual(["payload-size"]);
  });

  it("accepts both replies to SET_LOG_BASE, and an empty one", () => {
    const log = { mmapSize: 4096n, mmapOffset: 0n };
    const asked = (): Talk =>
      new Talk()
        .begin({ protocol: ["VHOST_USER_PROTOCOL_F_LOG_SHMFD"] })
        .ask({ case: "vhostUserSetLogBase", value: { base: { case: "log", value: log } } }, { fds: 1 });
    for (const reply of [
      { case: "number", value: { value: 4096n } },
      { case: "log", value: log },
    ] as const) {
      const talk = asked().answer({ case: "vhostUserSetLogBase", value: { reply } });
      expect(readConversation(talk.text()).rules).toEqual([]);
    }
    const empty = '{"from":"be","fds":0,"hex":"060000000500000000000000"}\n';
    expect(readConversation(asked().text() + empty).rules).toEqual([]);
    expect(readConversation(`${asked().text()}${empty.replace("0600", "0100")}`).rules).not.toEqual([]);
  });

  it("says which direction cannot be read on, and goes on with the other", () => {
    const long = Uint8Array.from(Buffer.from("010000000100000001100000", "hex"));
    const read = parse([
      { from: "fe", bytes: long },
      { from: "fe", bytes: long },
      { from: "be", bytes: Uint8Array.from(Buffer.from("0300000005000000080000000000000000000000", "hex")) },
    ]);
    expect(outline(read)).toEqual(["damage", "be VHOST_USER_SET_OWNER"]);
    expect(read.events[0]).toMatchObject({ from: "fe", fault: { path: "size", offset: 8 } });
  });

  it("says that the recording ends inside a message, and what waits for a reply", () => {
    const read = parse([
      { from: "fe", bytes: Uint8Array.from(Buffer.from("010000000100000000000000", "hex")) },
      { from: "be", bytes: Uint8Array.from(Buffer.from("0100000005000000", "hex")) },
    ]);
    expect(outline(read)).toEqual(["fe VHOST_USER_GET_FEATURES", "damage"]);
    expect(read.events[1]).toMatchObject({ fault: { code: "truncated", offset: 12 } });
    expect(outline(readConversation(captured.split("\n").slice(0, 73).join("\n"))).slice(-1)).toEqual([
      "waiting",
    ]);
  });
});

describe("a hostile conversation", () => {
  it("is read to its end, whatever its bytes are", () => {
    const whole = lines.map(piece);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 40 }),
        fc.array(fc.nat({ max: whole.length }), { maxLength: 10 }),
        (spoilt, moved) => {
          const pieces = whole.map((one) => ({ ...one, bytes: one.bytes.slice() }));
          for (const [message, at, value] of spoilt) {
            const { bytes } = pieces[message % pieces.length] ?? { bytes: new Uint8Array(1) };
            // The size stays: bytes that are lost for good leave nothing to judge.
            const place = at % bytes.length;
            if (place < 8 || place > 11) bytes[place] = value;
          }
          for (const from of moved) pieces.push(...pieces.splice(from, 1));
          const { events } = parse(pieces);
          const read = events.filter(({ kind }) => kind === "message");
          expect(read).toHaveLength(pieces.length);
        },
      ),
      { numRuns: 100 },
    );
  });
});
