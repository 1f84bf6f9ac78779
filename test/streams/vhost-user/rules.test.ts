import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  VhostUserProtocolFeature,
  vhostUserBackendRequestTable,
  vhostUserFrontendRequestTable,
} from "../../../generated/vhost-user/messages.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { conversationRules } from "../../../src/streams/index.js";
import { featureFixtures } from "./feature-fixtures.js";
import { readConversation } from "./read.js";
import { ruleFixtures } from "./rule-fixtures.js";
import { type FeatureName, type ProtocolFeatureName, Talk } from "./talk.js";

const captured = readFileSync(new URL("../../captures/vhost-user-qsd.jsonl", import.meta.url), "utf8");

function isProtocol(name: FeatureName | ProtocolFeatureName): name is ProtocolFeatureName {
  return name.startsWith("VHOST_USER_PROTOCOL_F_");
}

/** The request after its features have been agreed on, or after it has been agreed to go without one of them. */
function conversation(name: string, without?: ProtocolFeatureName | "the first"): string {
  const fixture = featureFixtures[name];
  if (fixture === undefined) throw new Error(`no fixture for ${name}`);
  const { needs, besides = [], before = (talk) => talk, use } = fixture;
  const talk = new Talk().begin(
    isProtocol(needs) ? { protocol: [needs, ...besides] } : { features: [needs], protocol: besides },
  );
  before(talk);
  const lacking = without === "the first" ? needs : without;
  if (lacking !== undefined) {
    if (isProtocol(lacking)) {
      talk.agreeProtocol([needs, ...besides].filter(isProtocol).filter((each) => each !== lacking));
    } else talk.agree({ features: ["VIRTIO_F_VERSION_1"] });
  }
  return use(talk, lacking !== needs).text();
}

function needsOf(name: string): readonly string[] {
  const row = [...vhostUserFrontendRequestTable, ...vhostUserBackendRequestTable].find(
    (each) => each.name === `VHOST_USER_${name.toUpperCase().replaceAll("-", "_")}`,
  );
  if (row === undefined) throw new Error(`no request is called ${name}`);
  return row.needs;
}

function requestsThatNeed(feature: ProtocolFeatureName): string[] {
  return Object.keys(featureFixtures).filter(
    (name) => featureFixtures[name]?.needs !== feature && needsOf(name).includes(feature),
  );
}

describe("rules of the conversation", () => {
  it("have a name of their own, words and a section each", () => {
    expect(new Set(conversationRules.map(({ id }) => id)).size).toBe(conversationRules.length);
    for (const { says, section } of conversationRules) expect([says, section]).not.toContain("");
  });

  it("have a fixture each", () => {
    const fixtures = [
      ...Object.keys(ruleFixtures),
      ...Object.keys(featureFixtures).map((name) => `${name}-without-feature`),
    ];
    expect(fixtures.sort()).toEqual(conversationRules.map(({ id }) => id).sort());
  });

  it.each(Object.keys(ruleFixtures))("%s", (id) => {
    const fixture = ruleFixtures[id];
    expect(readConversation(fixture?.good.text() ?? "").rules).toEqual([]);
    const { rules, faults } = readConversation(fixture?.bad.text() ?? "");
    expect([rules, faults]).toEqual([[id], []]);
  });

  it.each(Object.keys(featureFixtures))("%s-without-feature", (name) => {
    expect(readConversation(conversation(name)).rules).toEqual([]);
    expect(readConversation(conversation(name, "the first")).rules).toEqual([`${name}-without-feature`]);
  });

  it("ask every request of the back-end for its channel, and those in band for acknowledgements", () => {
    expect(requestsThatNeed("VHOST_USER_PROTOCOL_F_BACKEND_REQ")).toHaveLength(
      vhostUserBackendRequestTable.length,
    );
    expect(requestsThatNeed("VHOST_USER_PROTOCOL_F_REPLY_ACK")).toEqual([
      "vring-kick",
      "backend-vring-call",
      "backend-vring-err",
    ]);
  });

  it.each(
    (["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_REPLY_ACK"] as const).flatMap((feature) =>
      requestsThatNeed(feature).map((name) => [name, feature] as const),
    ),
  )("%s-without-feature, the other: %s", (name, feature) => {
    const { rules } = readConversation(conversation(name, feature));
    const isInBand = needsOf(name).includes("VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS");
    expect(rules).toEqual([...(isInBand ? ["inband-notifications-alone"] : []), `${name}-without-feature`]);
  });

  it("let the back-end use a channel whose feature it has declared, and the front-end not set", () => {
    const protocol: ProtocolFeatureName[] = [
      "VHOST_USER_PROTOCOL_F_BACKEND_REQ",
      "VHOST_USER_PROTOCOL_F_CONFIG",
    ];
    const talk = new Talk()
      .begin({ protocol })
      .ask({
        case: "vhostUserSetProtocolFeatures",
        value: { protocolFeatures: VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_CONFIG },
      })
      .ask({ case: "vhostUserSetBackendReqFd", value: undefined }, { fds: 1 })
      .start()
      .backendAsks({ case: "vhostUserBackendConfigChangeMsg", value: undefined });
    expect(readConversation(talk.text()).rules).toEqual([]);
  });

  it("ask for the feature of descriptors only where the back-end passes one", () => {
    const name = "backend-shmem-map";
    const feature = "VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD";
    expect(needsOf(name)).toContain(feature);
    expect(readConversation(conversation(name, feature)).rules).toEqual([
      "backend-descriptors-without-feature",
    ]);
    // Takes a notifier away: no descriptor comes, and the feature is not among those of the fixture.
    expect(needsOf("backend-vring-host-notifier-msg")).toContain(feature);
    expect(readConversation(conversation("backend-vring-host-notifier-msg")).rules).toEqual([]);
  });

  it("let vrings be enabled before features are set, where the feature is offered, as QEMU does for networks", () => {
    const enable = (talk: Talk): Talk =>
      talk.ask({ case: "vhostUserSetVringEnable", value: { index: 0, num: 1 } });
    const offered = (features: bigint): Talk =>
      new Talk()
        .ask({ case: "vhostUserGetFeatures", value: undefined })
        .answer({ case: "vhostUserGetFeatures", value: { features } });
    const bit = VirtioFeature.VHOST_USER_F_PROTOCOL_FEATURES;
    const set = { case: "vhostUserSetFeatures", value: { features: 0n } } as const;
    expect(readConversation(enable(offered(bit)).text()).rules).toEqual([]);
    expect(readConversation(enable(offered(0n)).text()).rules).toEqual(["set-vring-enable-without-feature"]);
    expect(readConversation(enable(offered(bit).ask(set)).text()).rules).toEqual([
      "set-vring-enable-without-feature",
    ]);
  });

  it("do not ask the back-end for the MTU that driver and front-end agree on", () => {
    expect(needsOf("net-set-mtu")).toEqual(["VHOST_USER_PROTOCOL_F_MTU", "VIRTIO_NET_F_MTU"]);
    expect(readConversation(conversation("net-set-mtu")).rules).toEqual([]);
  });

  it("find nothing in a session of QEMU and qemu-storage-daemon", () => {
    expect(readConversation(captured).rules).toEqual([]);
  });

  it("judge nothing that was agreed on before the recording began", () => {
    // From the first memory region on: 30 messages have gone before.
    const late = captured.split("\n").slice(30).join("\n");
    expect(readConversation(late).rules).toEqual([]);
  });

  it("name the request whose reply is missing in the real session", () => {
    const lines = captured.split("\n");
    // The reply to message 9, SET_BACKEND_REQ_FD with need_reply.
    lines.splice(10, 1);
    const { findings } = readConversation(lines.join("\n"));
    expect(findings.map(({ rule, message }) => [rule.id, message.index, message.row?.name])).toEqual([
      ["reply-missing", 9, "VHOST_USER_SET_BACKEND_REQ_FD"],
    ]);
  });

  it("miss a reply also when the first message of the back-end answers a later request", () => {
    const lines = captured.split("\n");
    // GET_FEATURES and GET_PROTOCOL_FEATURES, and the reply to the second.
    const { findings } = readConversation([lines[0], lines[2], lines[3]].join("\n"));
    expect(findings.map(({ rule, message }) => [rule.id, message.index])).toContainEqual([
      "reply-missing",
      0,
    ]);
  });

  it("let the log flag and the log address of a running ring change, and nothing else", () => {
    const lines = captured.trimEnd().split("\n");
    const line = lines[66] ?? "";
    // Message 66 sets VHOST_VRING_F_LOG: its descriptor table moves by a page.
    const moved = line.replace("0050b6a8e17f", "0060b6a8e17f");
    expect(moved).not.toBe(line);
    lines[66] = moved;
    expect(readConversation(lines.join("\n")).rules).toEqual(["ring-changed-while-running"]);
  });
});
