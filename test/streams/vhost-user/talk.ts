/** Writes conversations message by message, and records them as lines of JSON. */
import {
  encodeVhostUserBackendReplyMessage,
  encodeVhostUserBackendRequestMessage,
  encodeVhostUserFrontendReplyMessage,
  encodeVhostUserFrontendRequestMessage,
  type VhostUserBackendRequestPayloadBody,
  type VhostUserBackendRequestReplyBody,
  type VhostUserFrontendRequestPayloadBody,
  type VhostUserFrontendRequestReplyBody,
  VhostUserProtocolFeature,
  vhostUserBackendRequestTable,
  vhostUserFrontendRequestTable,
} from "../../../generated/vhost-user/messages.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";

export type FeatureName = keyof typeof VirtioFeature;
export type ProtocolFeatureName = keyof typeof VhostUserProtocolFeature;

export interface Agreed {
  readonly features?: readonly FeatureName[];
  readonly protocol?: readonly ProtocolFeatureName[];
}

interface Details {
  readonly fds?: number;
  readonly needReply?: boolean;
  /** Changes the bytes of the message. */
  readonly spoil?: (bytes: Uint8Array) => Uint8Array;
}

export class Talk {
  private readonly lines: string[] = [];
  private features = 0n;
  private protocol = 0n;

  /** What a front-end says first: it asks what there is, and takes all of it. */
  begin({ features = [], protocol = [] }: Agreed = {}): this {
    this.agree({ features: ["VHOST_USER_F_PROTOCOL_FEATURES", "VIRTIO_F_VERSION_1", ...features] });
    return this.agreeProtocol(protocol).ask({ case: "vhostUserSetOwner", value: undefined });
  }

  agree({ features = [] }: Agreed): this {
    const mask = features.reduce((all, name) => all | VirtioFeature[name], 0n);
    this.ask({ case: "vhostUserGetFeatures", value: undefined });
    this.answer({ case: "vhostUserGetFeatures", value: { features: mask } });
    this.features = mask;
    return this.ask({ case: "vhostUserSetFeatures", value: { features: mask } });
  }

  agreeProtocol(protocol: readonly ProtocolFeatureName[]): this {
    const mask = protocol.reduce((all, name) => all | VhostUserProtocolFeature[name], 0n);
    this.ask({ case: "vhostUserGetProtocolFeatures", value: undefined });
    this.answer({ case: "vhostUserGetProtocolFeatures", value: { protocolFeatures: mask } });
    this.protocol = mask;
    return this.ask({ case: "vhostUserSetProtocolFeatures", value: { protocolFeatures: mask } });
  }

  /** A request of the front-end. */
  ask(body: VhostUserFrontendRequestPayloadBody, details: Details = {}): this {
    const message = { ...head(frontend, body.case, false, details), payload: { body } };
    const bytes = encodeVhostUserFrontendRequestMessage(message, this.features, this.protocol, true);
    return this.say("fe", "frontend", bytes, details);
  }

  /** A reply of the back-end. */
  answer(body: VhostUserFrontendRequestReplyBody, details: Details = {}): this {
    const message = { ...head(frontend, body.case, true, details), payload: { body } };
    const bytes = encodeVhostUserFrontendReplyMessage(message, this.features, this.protocol, true);
    return this.say("be", "frontend", bytes, details);
  }

  /** A request of the back-end, on its own channel. */
  backendAsks(body: VhostUserBackendRequestPayloadBody, details: Details = {}): this {
    const message = { ...head(backend, body.case, false, details), payload: { body } };
    return this.say("be", "backend", encodeVhostUserBackendRequestMessage(message, true), details);
  }

  /** A reply of the front-end to it. */
  frontendAnswers(body: VhostUserBackendRequestReplyBody, details: Details = {}): this {
    const message = { ...head(backend, body.case, true, details), payload: { body } };
    return this.say("fe", "backend", encodeVhostUserBackendReplyMessage(message, true), details);
  }

  /** Memory from guest address 0, as much as a dirty log of a page covers. */
  memory(): this {
    return this.ask(
      { case: "vhostUserSetMemTable", value: { regions: [{ ...REGION, mmapOffset: 0n }] } },
      { fds: 1 },
    );
  }

  /** Sets a ring up, and lets it run. */
  start(index = 0): this {
    this.ask({ case: "vhostUserSetVringNum", value: { index, num: 128 } });
    return this.ask({ case: "vhostUserSetVringKick", value: { index, nofd: 0 } }, { fds: 1 });
  }

  stop(index = 0): this {
    this.ask({ case: "vhostUserGetVringBase", value: { index, num: 0 } });
    return this.answer({ case: "vhostUserGetVringBase", value: { split: { index, availIdx: 7 } } });
  }

  text(): string {
    return this.lines.map((line) => `${line}\n`).join("");
  }

  private say(from: string, channel: string, whole: Uint8Array, { fds = 0, spoil }: Details): this {
    const bytes = spoil === undefined ? whole : spoil(whole);
    const hex = Buffer.from(bytes).toString("hex");
    this.lines.push(JSON.stringify({ t: this.lines.length / 1000, from, channel, fds, hex }));
    return this;
  }
}

/** 128 MiB: the log has 4096 bytes. */
export const REGION = { guestPhysAddr: 0n, memorySize: 0x8000000n, userspaceAddr: 0x7f0000000000n };

/** Case of a body → number of the request. */
const frontend = numbers(vhostUserFrontendRequestTable);
const backend = numbers(vhostUserBackendRequestTable);

function head(
  table: ReadonlyMap<string, number>,
  name: string,
  isReply: boolean,
  { needReply = false }: Details,
): { request: number; version: number; reply: number; needReply: number } {
  const request = table.get(name);
  if (request === undefined) throw new Error(`no request is called ${name}`);
  return { request, version: 1, reply: isReply ? 1 : 0, needReply: needReply ? 1 : 0 };
}

function numbers(table: readonly { name: string; number: number | bigint }[]): ReadonlyMap<string, number> {
  return new Map(
    table.map(({ name, number }) => [
      name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      Number(number),
    ]),
  );
}
