import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { conversationRules } from "../../../src/streams/index.js";
import { featureFixtures } from "./feature-fixtures.js";
import { readConversation } from "./read.js";
import { ruleFixtures } from "./rule-fixtures.js";
import { type FeatureName, type ProtocolFeatureName, Talk } from "./talk.js";

const captured = readFileSync(new URL("../../captures/vhost-user-qsd.jsonl", import.meta.url), "utf8");

function isProtocol(name: FeatureName | ProtocolFeatureName): name is ProtocolFeatureName {
  return name.startsWith("VHOST_USER_PROTOCOL_F_");
}

/** The request after the feature has been agreed on, or after it has been agreed to go without it. */
function conversation(name: string, hasFeature: boolean): string {
  const fixture = featureFixtures[name];
  if (fixture === undefined) throw new Error(`no fixture for ${name}`);
  const { needs, besides = [], before = (talk) => talk, use } = fixture;
  const talk = new Talk().begin(
    isProtocol(needs) ? { protocol: [needs, ...besides] } : { features: [needs], protocol: besides },
  );
  before(talk);
  if (!hasFeature) {
    if (isProtocol(needs)) talk.agreeProtocol(besides);
    else talk.agree({ features: ["VIRTIO_F_VERSION_1"] });
  }
  return use(talk, hasFeature).text();
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
    expect(readConversation(conversation(name, true)).rules).toEqual([]);
    expect(readConversation(conversation(name, false)).rules).toEqual([`${name}-without-feature`]);
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
