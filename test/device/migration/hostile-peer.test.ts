/** A peer that says anything at any time: errors with a code, nothing left behind, no memory for what it only claims. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeGuestMessage } from "../../../generated/migration/guest-stream.js";
import { type ReceiveOptions, receiveGuest } from "../../../src/device/migration/destination.js";
import { ObservedLog } from "../../../src/device/migration/dirty-log.js";
import { MigrationError } from "../../../src/device/migration/migration-error.js";
import { withFewPages } from "../../../src/device/migration/progress.js";
import { sendGuest } from "../../../src/device/migration/source.js";
import { seed } from "../../properties/drawn.js";
import { be, bytes, le } from "../../streams/wire-bytes.js";
import { GUEST_SIZE, guestOn, type Host, host } from "../owner/bench.js";
import { channelPair } from "./channels.js";
import { ways } from "./hosts.js";

type Way = (typeof ways)[string];

const RUNS = 150;

/** What the source's end says: the stream of a whole migration, and where each message begins. */
async function recorded(way: Way): Promise<Uint8Array[]> {
  const [from, to] = [newHost(way), newHost(way)];
  guestOn(from).writeSectors(3, new Uint8Array(512).fill(7));
  const messages: Uint8Array[] = [];
  const [here, there] = channelPair({ onWrite: (_, message) => messages.push(message.slice()) });
  await Promise.all([
    sendGuest({
      channel: here,
      memory: from.memory,
      members: [way.source(from)],
      processors: { writes: new ObservedLog(from.memory), stop: () => {}, resume: () => {} },
      switchover: withFewPages(0),
    }),
    receiveGuest(optionsOf(way, to, there)),
  ]);
  return messages;
}

function newHost(way: Way): Host {
  const one = host(way.profile(), { disk: new Uint8Array(64 * 512), deferred: true });
  way.prepare(one);
  return one;
}

function optionsOf(way: Way, to: Host, channel: ReceiveOptions["channel"]): ReceiveOptions {
  return {
    channel,
    memory: to.memory,
    members: [way.destination(to)],
    processors: { resume: () => {} },
    largestState: 4096,
  };
}

/**
 * The code with which a destination refuses, as new; "moved" when there is nothing to refuse; "lost" when the guest was
 * handed over and its device does not run.
 */
async function refusal(way: Way, to: Host, chunks: readonly Uint8Array[]): Promise<string> {
  const before = { state: to.member.save(), mode: to.member.mode };
  const readable = (async function* () {
    yield* chunks;
  })();
  let aborted = false;
  try {
    await receiveGuest({
      ...optionsOf(way, to, { readable, writable: new WritableStream() }),
      onEvent: ({ kind }) => {
        aborted ||= kind === "aborted";
      },
    });
    return "moved";
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    if (!aborted) return "lost";
    expect(error.leftovers).toEqual([]);
    expect({ state: to.member.save(), mode: to.member.mode }).toEqual(before);
    expect(to.memory.read(0, GUEST_SIZE).every((byte) => byte === 0)).toBe(true);
    return error.code;
  }
}

describe.each(Object.entries(ways))("a destination with %s", (_, way) => {
  it("is as new after a stream that breaks off anywhere", async () => {
    const messages = await recorded(way);
    const to = newHost(way);
    for (let count = 0; count < messages.length; count++) {
      expect(await refusal(way, to, messages.slice(0, count))).toBe("disconnected");
      const cut = messages[count] as Uint8Array;
      expect(await refusal(way, to, [...messages.slice(0, count), cut.subarray(0, cut.length - 1)])).toBe(
        "malformed",
      );
    }
  });

  it("is as new after a damaged stream that it refuses", async () => {
    const messages = await recorded(way);
    let to = newHost(way);
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (which, where, flip) => {
        const damaged = messages.map((message) => message.slice());
        const message = damaged[which % damaged.length] as Uint8Array;
        const at = where % message.length;
        message[at] = (message[at] as number) ^ flip;
        if (["moved", "lost"].includes(await refusal(way, to, damaged))) to = newHost(way);
      }),
      { seed, numRuns: RUNS },
    );
  });

  it("is as new after messages in any order", async () => {
    const messages = await recorded(way);
    const [begin, ...rest] = messages.slice(0, -1) as [Uint8Array, ...Uint8Array[]];
    const to = newHost(way);
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.constantFrom(...messages.slice(0, -1)), { maxLength: 12 }),
        async (begins, order) => {
          expect(await refusal(way, to, begins ? [begin, ...order] : order)).not.toBe("moved");
        },
      ),
      { seed, numRuns: RUNS },
    );
    expect(rest.length).toBeGreaterThan(0);
  });
});

describe("a destination", () => {
  const way = Object.values(ways)[0] as Way;
  const to = newHost(way);
  /** guest_begin: magic, version, page size, one region from 0 on, one member: a device context of a block device. */
  const begin = (options: { size?: number; page?: number; format?: number; device?: number } = {}) => {
    const { size = GUEST_SIZE, page = 4096, format = 1, device = 2 } = options;
    const head = [...le(4, 0x54534756), ...le(4, 1), ...le(4, page), ...le(2, 1), ...le(2, 1)];
    return message(1, [...head, ...le(8, 0), ...le(8, size), ...le(2, format), ...le(2, device)]);
  };
  /** guest_message: le16 type; u8 reserved[2]; le32 length. */
  const message = (type: number, body: readonly number[], length = body.length): Uint8Array =>
    bytes(le(2, type), [0, 0], le(4, length), body);
  const pages = (address: number, count: number): Uint8Array =>
    encodeGuestMessage({
      type: 2,
      body: { case: "pages", value: { address, data: new Uint8Array(count).fill(1) } },
    });

  it.each<[string, string, readonly Uint8Array[]]>([
    ["a stream of something else", "malformed", [bytes(be(4, 0x5145564d), new Array<number>(60).fill(0))]],
    ["another magic number", "malformed", [message(1, new Array<number>(36).fill(0))]],
    ["more than a message can hold", "malformed", [begin(), message(2, [], 0xffff_ffff)]],
    ["an unknown message", "malformed", [begin(), message(99, [])]],
    ["pages before the beginning", "protocol", [pages(0, 4096)]],
    ["a second beginning", "protocol", [begin(), begin()]],
    ["more memory than there is", "mismatch", [begin({ size: GUEST_SIZE * 2 })]],
    ["pages that do not fit the memory", "mismatch", [begin({ page: 0x20000 })]],
    ["pages of an odd size", "mismatch", [begin({ page: 5000 })]],
    ["another kind of device", "mismatch", [begin({ device: 1 })]],
    ["another format", "mismatch", [begin({ format: 2 })]],
    ["half a page", "limit", [begin(), pages(0, 100)]],
    ["no page", "limit", [begin(), pages(0, 0)]],
    ["a page between pages", "limit", [begin(), pages(100, 4096)]],
    ["a page behind the memory", "limit", [begin(), pages(0, 4096), pages(GUEST_SIZE, 4096)]],
    ["pages that run out of the memory", "limit", [begin(), pages(GUEST_SIZE - 4096, 8192)]],
    ["zeros behind the memory", "limit", [begin(), message(3, [...le(8, 1 << 30), ...le(4, 4096)])]],
    ["a member that there is not", "protocol", [begin(), message(4, [...le(2, 1), 1, 2, 3])]],
    ["the end of a state that never began", "protocol", [begin(), message(5, le(2, 7))]],
    [
      "an end inside of a context",
      "device",
      // One field, of which there are three bytes.
      [
        begin(),
        message(4, [...le(2, 0), ...le(4, 1), ...le(2, 1), 0, 0, 0, 0, 0, 0, ...le(8, 8), 1, 2, 3]),
        message(5, le(2, 0)),
        message(7, []),
      ],
    ],
    ["an end without states", "protocol", [begin(), message(7, [])]],
    ["a state of nothing", "protocol", [begin(), message(5, le(2, 0)), message(7, []), message(8, [])]],
    ["a hand-over without an end", "protocol", [begin(), message(8, [])]],
    ["more state than it takes", "limit", [begin(), ...stateOf(5000)]],
  ])("refuses %s", async (_, code, chunks) => {
    expect(await refusal(way, to, chunks)).toBe(code);
  });

  /** A context that claims one field of 2^20 bytes, and a good deal of it. */
  function stateOf(size: number): Uint8Array[] {
    const field = [...le(4, 1), ...le(2, 0x3000), ...new Array<number>(6).fill(0), ...le(8, 1 << 20)];
    const state = [...field, ...new Array<number>(size).fill(0)];
    return [
      message(4, [...le(2, 0), ...state.slice(0, 2000)]),
      message(4, [...le(2, 0), ...state.slice(2000)]),
    ];
  }

  it("refuses noise", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), async (noise) => {
        expect(["malformed", "disconnected", "protocol"]).toContain(await refusal(way, to, noise));
      }),
      { seed, numRuns: RUNS },
    );
  });
});

describe.each(Object.entries(ways))("a source with %s", (_, way) => {
  it("keeps its guest when the other side says anything else than it should", async () => {
    const from = newHost(way);
    guestOn(from).writeSectors(3, new Uint8Array(512).fill(7));
    const before = { state: from.member.save(), mode: from.member.mode };
    const answer = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      // guest_answer: le16 type; u8 reserved[2]; le32 length; the round of ROUND_TAKEN.
      fc
        .tuple(fc.integer({ min: 1, max: 5 }), fc.nat(3))
        .map(([type, round]) =>
          bytes(le(2, type), [0, 0], le(4, type === 2 ? 4 : 0), type === 2 ? le(4, round) : []),
        ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(answer, { maxLength: 6 }), async (answers) => {
        let running = true;
        const attempt = sendGuest({
          channel: {
            readable: (async function* () {
              yield* answers;
            })(),
            writable: new WritableStream(),
          },
          memory: from.memory,
          members: [way.source(from)],
          processors: {
            writes: new ObservedLog(from.memory),
            stop: () => {
              running = false;
            },
            resume: () => {
              running = true;
            },
          },
          switchover: withFewPages(0),
        });
        const error = await attempt.then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(MigrationError);
        if (!(error instanceof MigrationError) || error.code === "undecided") return;
        expect([running, error.leftovers]).toEqual([true, []]);
        expect({ state: from.member.save(), mode: from.member.mode }).toEqual(before);
      }),
      { seed, numRuns: RUNS },
    );
  });
});
