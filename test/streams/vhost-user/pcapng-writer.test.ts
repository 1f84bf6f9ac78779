import { describe, expect, it } from "vitest";
import { encodeVirtioDevCtx, VirtioDevCtxType } from "../../../generated/virtio/device-context.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { type CaptureRecord, ConversationInspection } from "../../../src/inspect/index.js";
import {
  type ConversationEvent,
  ConversationWriter,
  type PieceChannel,
  type Side,
} from "../../../src/streams/index.js";
import { outline, readConversation } from "./read.js";
import { Talk } from "./talk.js";

interface Line {
  readonly from: Side;
  readonly channel: PieceChannel;
  readonly fds: number;
  readonly hex: string;
}

/** A talk as a pcapng file; `states` are put in front of CHECK_DEVICE_STATE, from whom they are. */
function recorded(talk: Talk, states: readonly [Side, Uint8Array][] = []): Uint8Array {
  const file: number[] = [];
  const writer = new ConversationWriter((bytes) => file.push(...bytes));
  let time = 1_795_188_000_000_000_000n;
  const say = (from: Side, channel: PieceChannel, fds: number, bytes: Uint8Array): void => {
    writer.piece({ from, channel, fds, bytes, time, session: "a" });
    time += 1_000_000n;
  };
  const left = [...states];
  for (const text of talk
    .text()
    .split("\n")
    .filter((line) => line !== "")) {
    const { from, channel, fds, hex }: Line = JSON.parse(text);
    const bytes = Buffer.from(hex, "hex");
    const state = bytes.readUInt32LE(0) === 43 && from === "fe" ? left.shift() : undefined;
    if (state !== undefined) {
      // In pieces, as a pipe gives them.
      for (let at = 0; at < state[1].length; at += 5)
        say(state[0], "state", 0, state[1].subarray(at, at + 5));
    }
    say(from, channel, fds, bytes);
  }
  return Uint8Array.from(file);
}

function transfers(): Talk {
  const talk = new Talk().begin({ protocol: ["VHOST_USER_PROTOCOL_F_DEVICE_STATE"] });
  for (const direction of [0, 1]) {
    talk.ask({ case: "vhostUserSetDeviceStateFd", value: { direction, phase: 0 } }, { fds: 1 });
    talk.answer({ case: "vhostUserSetDeviceStateFd", value: { error: 0, nofd: 1 } });
    talk.ask({ case: "vhostUserCheckDeviceState", value: undefined });
    talk.answer({ case: "vhostUserCheckDeviceState", value: { value: 0n } });
  }
  return talk;
}

const context = encodeVirtioDevCtx(
  {
    fields: [
      {
        type: VirtioDevCtxType.VIRTIO_DEV_CTX_DEV_FEATURES,
        value: { case: "devFeatures", value: { featureBits: [VirtioFeature.VIRTIO_F_VERSION_1] } },
      },
    ],
  },
  VirtioDeviceId.VIRTIO_ID_BLOCK,
);

describe("a conversation in a pcapng file", () => {
  it("reads as it was said", () => {
    const talk = new Talk()
      .begin({ protocol: ["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_CONFIG"] })
      .ask({ case: "vhostUserSetBackendReqFd", value: undefined }, { fds: 1 })
      .memory()
      .start()
      .backendAsks({ case: "vhostUserBackendConfigChangeMsg", value: undefined })
      .stop();
    const read = readConversation(recorded(talk), "pcapng", 100);
    expect(read.faults).toEqual([]);
    expect(read.rules).toEqual([]);
    expect(outline(read)).toEqual(outline(readConversation(talk.text())));
  });

  it("holds the back-end's state beside the messages, whole and apart", () => {
    const { events, rules } = readConversation(
      recorded(transfers(), [
        ["be", context],
        ["fe", context],
      ]),
      "pcapng",
    );
    expect(rules).toEqual([]);
    const states = events.filter(
      (event): event is ConversationEvent & { kind: "state" } => event.kind === "state",
    );
    expect(states.map(({ contents }) => contents)).toMatchObject([
      { index: 0, from: "be", size: context.length, bytes: context },
      { index: 1, from: "fe", size: context.length, bytes: context },
    ]);
  });

  it("is explained down to the fields of a state whose format is known", () => {
    const records: CaptureRecord[] = [];
    const inspection = new ConversationInspection({ record: (record) => records.push(record) });
    inspection.push(recorded(transfers(), [["be", Uint8Array.of(1, 2, 3)]]));
    expect(inspection.end().verdict).toMatch(/^clean/);
    expect(records.filter(({ name }) => name === "device state")).toMatchObject([
      { size: 3, fields: undefined },
    ]);
  });
});
