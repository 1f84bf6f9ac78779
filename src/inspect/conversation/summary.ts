/** What the summary of a vhost-user conversation shows: its sessions, what they have agreed on, requests, broken rules. */
import {
  vhostUserProtocolFeatureBits,
  vhostUserProtocolFeatureNames,
} from "../../../generated/vhost-user/messages.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { ConversationParser, Finding, Session } from "../../streams/index.js";
import { featureNames, featureTables } from "../features.js";
import { type FlagTables, setFlags } from "../flags.js";
import { type Cell, type Fact, hex, type Table } from "../report.js";
import { nameOf } from "./fields.js";

/** One connection of those that the recording holds. */
export interface Talk {
  /** Undefined where the recording knows of one only. */
  readonly name: string | undefined;
  readonly parser: ConversationParser;
  messages: number;
  findings: number;
}

/** What a session has agreed on. */
export function agreed(session: Session, device: VirtioDeviceId): Fact[] {
  const facts: Fact[] = [];
  const flags = (
    key: string,
    label: string,
    value: bigint | undefined,
    names: (value: bigint) => string[],
    tables: FlagTables,
  ) => {
    if (value === undefined) return;
    const said = names(value);
    const text = `${hex(value)} ${said.join(" ")}`;
    facts.push({ key, label, value: said, text, flags: setFlags(value, tables) });
  };
  const { features, protocolFeatures } = session;
  flags("features", "features", features, (mask) => featureNames(device, mask), featureTables(device));
  flags(
    "protocol_features",
    "protocol features",
    protocolFeatures,
    vhostUserProtocolFeatureNames,
    PROTOCOL_FEATURES,
  );
  if (session.queueCount !== undefined) {
    facts.push({ key: "queue_num", label: "queues", value: session.queueCount });
  }
  return facts;
}

const PROTOCOL_FEATURES: FlagTables = { tables: [vhostUserProtocolFeatureBits], first: 0 };

function mask(value: bigint | undefined, tables: FlagTables): Cell {
  return value === undefined ? { value: "" } : { value, text: hex(value), flags: setFlags(value, tables) };
}

export function sessionsTable(talks: readonly Talk[], device: VirtioDeviceId): Table {
  return {
    key: "sessions",
    title: "sessions",
    columns: [
      { key: "session", label: "session" },
      { key: "messages", label: "messages", right: true },
      { key: "broken_rules", label: "broken rules", right: true },
      { key: "queue_num", label: "queues", right: true },
      { key: "features", label: "features", right: true },
      { key: "protocol_features", label: "protocol features", right: true },
    ],
    rows: talks.map(({ name = "", messages, findings, parser: { session } }) => [
      { value: name },
      { value: messages },
      { value: findings },
      { value: session.queueCount ?? "", text: String(session.queueCount ?? "") },
      mask(session.features, featureTables(device)),
      mask(session.protocolFeatures, PROTOCOL_FEATURES),
    ]),
    weights: talks.map(({ messages, findings }) => findings * 2 ** 32 + messages),
    briefs: talks.map(({ name = "" }) => name),
  };
}

/** `counts`: by name. */
export function requestsTable(counts: ReadonlyMap<string, number>): Table {
  const rows = [...counts];
  return {
    key: "requests",
    title: "requests",
    columns: [
      { key: "request", label: "request" },
      { key: "count", label: "count", right: true },
    ],
    rows: rows.map(([name, count]) => [{ value: name }, { value: count }]),
    weights: rows.map(([, count]) => count),
    briefs: rows.map(([name]) => name),
  };
}

export function brokenTable(findings: readonly Finding[]): Table {
  return {
    key: "broken_rules",
    title: "broken rules",
    columns: [
      { key: "rule", label: "broken rule" },
      { key: "message", label: "message", right: true },
      { key: "request", label: "request" },
      { key: "detail", label: "how" },
    ],
    rows: findings.map(({ rule, message, detail }) => [
      { value: rule.id },
      { value: message.index },
      { value: nameOf(message) },
      { value: detail },
    ]),
    weights: findings.map((_, index) => -index),
    briefs: findings.map(({ rule }) => rule.id),
  };
}
