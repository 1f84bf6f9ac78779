import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeGuestAnswer,
  encodeGuestMessage,
  GuestAnswerType,
  GuestMemberFormat,
  type GuestMessageBody,
  GuestMessageType,
} from "../../../generated/migration/guest-stream.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { FORMATS, migrateDemo } from "../../../src/demo/index.js";
import { detectKind, printPath } from "../../../src/inspect/index.js";
import { bytes, deviceContext, deviceParts } from "../../streams/wire-bytes.js";
import { inspectBytes } from "../inspect-bytes.js";

const PAGE = 4096;

const TYPES = {
  begin: GuestMessageType.GUEST_MESSAGE_BEGIN,
  pages: GuestMessageType.GUEST_MESSAGE_PAGES,
  zeroPages: GuestMessageType.GUEST_MESSAGE_ZERO_PAGES,
  state: GuestMessageType.GUEST_MESSAGE_STATE,
  stateEnd: GuestMessageType.GUEST_MESSAGE_STATE_END,
  roundEnd: GuestMessageType.GUEST_MESSAGE_ROUND_END,
  guestMessageEnd: GuestMessageType.GUEST_MESSAGE_END,
  guestMessageResume: GuestMessageType.GUEST_MESSAGE_RESUME,
  abort: GuestMessageType.GUEST_MESSAGE_ABORT,
} as const;

const message = (body: GuestMessageBody): Uint8Array => encodeGuestMessage({ type: TYPES[body.case], body });

const CONTEXT = deviceContext().bytes;
const PARTS = new Uint8Array(deviceParts().flat());

const BEGIN = message({
  case: "begin",
  value: {
    pageSize: PAGE,
    regions: [{ address: 0, size: 4 * PAGE }],
    members: [
      { format: GuestMemberFormat.GUEST_MEMBER_DEVICE_CONTEXT, device: VirtioDeviceId.VIRTIO_ID_NET },
      { format: GuestMemberFormat.GUEST_MEMBER_DEVICE_PARTS, device: VirtioDeviceId.VIRTIO_ID_NET },
    ],
  },
});

/** A state in pieces of so many bytes. */
function state(member: number, data: Uint8Array, piece: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += piece)
    messages.push(message({ case: "state", value: { member, data: data.subarray(at, at + piece) } }));
  return [...messages, message({ case: "stateEnd", value: { member } })];
}

const PAGES = message({ case: "pages", value: { address: 0, data: new Uint8Array(2 * PAGE).fill(0xa5) } });
const MESSAGES: readonly Uint8Array[] = [
  BEGIN,
  PAGES,
  message({ case: "zeroPages", value: { address: 2 * PAGE, length: 2 * PAGE } }),
  ...state(0, CONTEXT, 1 << 20),
  message({ case: "roundEnd", value: { round: 0 } }),
  message({ case: "pages", value: { address: PAGE, data: new Uint8Array(PAGE).fill(7) } }),
  ...state(0, CONTEXT, 13),
  ...state(1, PARTS, 7),
  message({ case: "roundEnd", value: { round: 1 } }),
  message({ case: "guestMessageEnd", value: undefined }),
  message({ case: "guestMessageResume", value: undefined }),
];
const STREAM = bytes(...MESSAGES);

describe("a guest's stream", () => {
  it("is read message by message: memory summed up, states as what they are", () => {
    expect(detectKind(STREAM)).toEqual({ kind: "guest-stream" });
    const { records, summary } = inspectBytes(STREAM, { withFields: true });
    expect(summary.verdict).toMatch(/^clean/);
    expect(records.filter(({ record }) => record === "memory").map(({ attributes }) => attributes)).toEqual([
      { round: 0, messages: 2, pages: 2, zero_pages: 2, from: 0, to: 4 * PAGE },
      { round: 1, messages: 1, pages: 1, zero_pages: 0, from: PAGE, to: 2 * PAGE },
    ]);
    const states = records.filter(({ record }) => record === "state");
    expect(states.map(({ attributes: { member, bytes: size } }) => [member, size])).toEqual([
      [0, CONTEXT.length],
      [0, CONTEXT.length],
      [1, PARTS.length],
    ]);
    const tables = Object.fromEntries(summary.tables.map(({ key, rows }) => [key, rows.length]));
    expect(tables).toEqual({ rounds: 2, members: 2 });
  });

  it("has the offsets of its own, in states that came in pieces too", () => {
    const { records } = inspectBytes(STREAM, { withFields: true });
    const whole = inspectBytes(CONTEXT, { withFields: true, kind: "device-context" }).records;
    for (const one of ["states[0]", "states[1]"]) {
      const found = records.filter(
        ({ record, path }) => record === "tlv" && printPath(path).startsWith(`members[0].${one}.`),
      );
      expect(found.map(({ name }) => name)).toEqual(
        whole.filter(({ record }) => record === "tlv").map(({ name }) => name),
      );
      // What stands at the place is what the field says.
      for (const { fields = [] } of found) {
        const [type] = fields;
        expect(STREAM[type?.at ?? -1]).toBe(Number(type?.value) & 0xff);
      }
    }
  });

  it("names damage inside a state by its place in the stream", () => {
    const spoiled = CONTEXT.slice();
    // The count of the context's fields.
    spoiled[0] = 0xff;
    const input = bytes(BEGIN, PAGES, ...state(0, spoiled, 64), ...state(1, PARTS, 64));
    const { summary } = inspectBytes(input, { withFields: false });
    expect(summary.faults[0]?.path).toMatch(/^members\[0\]\.states\[0\]\./);
    expect(summary.faults[0]?.offset).toBeGreaterThan(BEGIN.length + PAGES.length);
  });

  it.each([["given up", "the disk is full", /^complete: .*given up/]])(
    "that is %s is no damaged one",
    (outcome, text, verdict) => {
      const input = bytes(...MESSAGES.slice(0, 5), message({ case: "abort", value: { text } }));
      const { summary } = inspectBytes(input, { withFields: false });
      expect([summary.faultCount, summary.verdict]).toEqual([0, expect.stringMatching(verdict)]);
      expect(summary.facts.find(({ key }) => key === "outcome")?.text).toBe(`${outcome}: ${text}`);
    },
  );

  it("has no clean verdict when a message that counts is lost or comes twice", () => {
    for (const [i, one] of MESSAGES.entries()) {
      const [type = 0] = one;
      // Pages that do not come are zero, and those that come twice are the same.
      if (type === TYPES.pages || type === TYPES.zeroPages) continue;
      const others = [
        MESSAGES.filter((_, j) => j !== i),
        MESSAGES.flatMap((each, j) => (i === j ? [each, each] : [each])),
      ];
      for (const [k, messages] of others.entries()) {
        // A state that comes twice is a second state, and a piece that does is another state.
        const { summary } = inspectBytes(bytes(...messages), { withFields: false, kind: "guest-stream" });
        expect(summary.verdict, `${k === 0 ? "without" : "twice"} ${i}`).not.toMatch(/^clean/);
      }
    }
  });

  it("has no clean verdict when its structure is damaged", () => {
    const heads: number[] = [];
    let at = 0;
    for (const one of MESSAGES) {
      for (let i = 0; i < 8; i++) heads.push(at + i);
      at += one.length;
    }
    const place = fc.nat({ max: STREAM.length - 1 });
    const damage = fc.oneof(
      fc.record({ kind: fc.constant("drop"), at: place, bit: fc.nat({ max: 7 }) }),
      fc.record({ kind: fc.constant("insert"), at: place, bit: fc.nat({ max: 7 }) }),
      fc.record({ kind: fc.constant("cut"), at: place, bit: fc.nat({ max: 7 }) }),
      fc.record({ kind: fc.constant("flip"), at: fc.constantFrom(...heads), bit: fc.nat({ max: 7 }) }),
    );
    fc.assert(
      fc.property(damage, ({ kind, at: where, bit }) => {
        const before = STREAM.subarray(0, where);
        const spoiled =
          kind === "drop"
            ? bytes(before, STREAM.subarray(where + 1))
            : kind === "insert"
              ? bytes(before, [1 << bit], STREAM.subarray(where))
              : kind === "cut"
                ? before
                : bytes(before, [(STREAM[where] ?? 0) ^ (1 << bit)], STREAM.subarray(where + 1));
        const { summary } = inspectBytes(spoiled, { withFields: true, kind: "guest-stream" });
        expect(summary.verdict).not.toMatch(/^clean/);
      }),
      { seed: 1420, numRuns: 1000 },
    );
  });

  it("has pages in its memory only, which can go on from one region into the next", () => {
    const begin = message({
      case: "begin",
      value: {
        pageSize: PAGE,
        regions: [0, 1, 3].map((page) => ({ address: page * PAGE, size: PAGE })),
        members: [],
      },
    });
    const ending = MESSAGES.slice(-2);
    const verdict = (first: number, count: number): string => {
      const zeros = message({ case: "zeroPages", value: { address: first * PAGE, length: count * PAGE } });
      const round = message({ case: "roundEnd", value: { round: 0 } });
      return inspectBytes(bytes(begin, zeros, round, ...ending), { withFields: false }).summary.verdict;
    };
    for (const [first, count] of [
      [0, 1],
      [0, 2],
      [1, 1],
      [3, 1],
    ] as const)
      expect(verdict(first, count)).toMatch(/^clean/);
    for (const [first, count] of [
      [2, 1],
      [1, 2],
      [0, 4],
      [3, 2],
      [9, 1],
    ] as const)
      expect(verdict(first, count)).toMatch(/lie in no memory of the guest/);
  });

  it("is read the same in any pieces", () => {
    const once = inspectBytes(STREAM, { withFields: true });
    for (const size of [1, 7, 4096]) {
      const cuts = Array.from({ length: Math.ceil(STREAM.length / size) - 1 }, (_, i) => (i + 1) * size);
      const again = inspectBytes(STREAM, { withFields: true, cuts });
      expect(again).toEqual(once);
    }
  });
});

describe.each([...FORMATS])("a recorded migration by %s", (format) => {
  it("is clean in both directions, with the states that its members were given", async () => {
    const recorded = { source: [] as Uint8Array[], destination: [] as Uint8Array[] };
    const { states } = await migrateDemo({
      format,
      memory: 4 << 20,
      downtime: 60_000,
      onEvent: () => {},
      signal: new AbortController().signal,
      record: (from, sent) => recorded[from].push(sent.slice()),
    });
    const stream = bytes(...recorded.source);
    expect(detectKind(stream.subarray(0, 4096))).toEqual({ kind: "guest-stream" });
    const { records, summary } = inspectBytes(stream, { withFields: true });
    expect([summary.verdict, summary.faultCount]).toEqual([expect.stringMatching(/^clean/), 0]);
    const last = states.map((_, index) =>
      records.filter(({ record, attributes }) => record === "state" && attributes["member"] === index).at(-1),
    );
    expect(last.map((record) => record?.attributes["bytes"])).toEqual(
      states.map(({ bytes: held }) => held.length),
    );
    const answers = bytes(...recorded.destination);
    expect(detectKind(answers)).toEqual({ kind: "guest-answers" });
    expect(inspectBytes(answers, { withFields: true }).summary.verdict).toMatch(/^clean/);
  });
});

describe("the answers of a destination", () => {
  const answer = (...args: Parameters<typeof encodeGuestAnswer>): Uint8Array => encodeGuestAnswer(...args);
  const ACCEPTED = answer({
    type: GuestAnswerType.GUEST_ANSWER_ACCEPTED,
    body: { case: "guestAnswerAccepted", value: undefined },
  });
  const taken = (round: number): Uint8Array =>
    answer({
      type: GuestAnswerType.GUEST_ANSWER_ROUND_TAKEN,
      body: { case: "roundTaken", value: { round } },
    });

  it("say why it has refused", () => {
    const text = "the guest has other memory than this host has for it";
    const refused = answer({
      type: GuestAnswerType.GUEST_ANSWER_REFUSED,
      body: { case: "refused", value: { text } },
    });
    expect(detectKind(refused)).toEqual({ kind: "guest-answers" });
    const { summary } = inspectBytes(bytes(ACCEPTED, taken(0), refused), { withFields: false });
    expect([summary.verdict, summary.facts.at(-1)?.text]).toEqual([
      expect.stringMatching(/^complete/),
      `refused: ${text}`,
    ]);
  });

  it.each([
    ["a round is missing", [ACCEPTED, taken(0), taken(2)], /round 2, not 1/],
    ["nothing was accepted", [taken(0), taken(1)], /out of place/],
    ["they end too early", [ACCEPTED, taken(0)], /nobody has refused/],
  ])("are wrong when %s", (_, answers, why) => {
    const { summary } = inspectBytes(bytes(...answers), { withFields: false, kind: "guest-answers" });
    expect(summary.verdict).toMatch(why);
  });
});
