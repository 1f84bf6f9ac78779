/** What both sides have agreed on so far, and what state the rings are in, as far as messages tell. */

import type { VhostVringAddr } from "../../../generated/vhost/uapi.js";
import {
  VhostUserFrontendRequest,
  type VhostUserLog,
  type VhostUserMemoryRegion,
  VhostUserProtocolFeature,
} from "../../../generated/vhost-user/messages.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import type { VhostUserMessage } from "./message.js";

export interface Ring {
  /** From the kick descriptor (or the first kick in band) until the back-end is asked for the vring's base. */
  running: boolean;
  addresses: VhostVringAddr | undefined;
}

/** The index of a ring has eight bits where its descriptors are set; more rings than this are not kept. */
const MAX_RINGS = 256;

/** More regions than any back-end has slots for are not kept. */
const MAX_REGIONS = 1024;

/** What a front-end sends first. A conversation that begins with something else was joined late. */
const FIRST_REQUESTS: readonly number[] = [
  VhostUserFrontendRequest.VHOST_USER_GET_FEATURES,
  VhostUserFrontendRequest.VHOST_USER_SET_FEATURES,
  VhostUserFrontendRequest.VHOST_USER_SET_OWNER,
  VhostUserFrontendRequest.VHOST_USER_GET_PROTOCOL_FEATURES,
  VhostUserFrontendRequest.VHOST_USER_SET_PROTOCOL_FEATURES,
];

export class Session {
  /** Seen from its beginning: what was not agreed on in sight was not agreed on. Undefined before the first message. */
  whole: boolean | undefined;
  offeredFeatures: bigint | undefined;
  offeredProtocolFeatures: bigint | undefined;
  features: bigint | undefined;
  protocolFeatures: bigint | undefined;
  queueCount: bigint | undefined;
  memorySlots: bigint | undefined;
  /** Undefined until the front-end has sent any. */
  regions: VhostUserMemoryRegion[] | undefined;
  readonly rings = new Map<number, Ring>();
  /** As it was set last; `true` stands for an address. */
  log: VhostUserLog | true | undefined;
  postcopy: "none" | "advised" | "listening" = "none";
  /** Of the back-end's state: from its request until CHECK_DEVICE_STATE. */
  transferring = false;
  hasBackendChannel = false;

  /** Whether a feature, given by name, has been agreed on. Undefined when that was out of sight. */
  has(name: string): boolean | undefined {
    return test(name, this.features, this.protocolFeatures, this.whole === true);
  }

  /** Whether the back-end offers a feature. Undefined when that was out of sight. */
  offers(name: string): boolean | undefined {
    return test(name, this.offeredFeatures, this.offeredProtocolFeatures, false);
  }

  isRunning(index: number): boolean {
    return this.rings.get(index)?.running ?? false;
  }

  runningRings(): number[] {
    return [...this.rings].filter(([, ring]) => ring.running).map(([index]) => index);
  }

  /** Takes what a message changes, once it has been judged by what was before. */
  take(message: VhostUserMessage): void {
    const { body } = message;
    this.whole ??=
      message.channel === "frontend" && FIRST_REQUESTS.includes(message.header.request) && !message.isReply;
    if (body?.kind === "frontend-request") this.takeRequest(message);
    else if (body?.kind === "frontend-reply") this.takeReply(message);
  }

  private takeRequest({ body: tagged }: VhostUserMessage): void {
    if (tagged?.kind !== "frontend-request") return;
    const { body } = tagged;
    switch (body.case) {
      case "vhostUserSetFeatures":
        this.features = body.value.features;
        break;
      case "vhostUserSetProtocolFeatures":
        this.protocolFeatures = body.value.protocolFeatures;
        break;
      case "vhostUserSetBackendReqFd":
        this.hasBackendChannel = true;
        break;
      case "vhostUserSetMemTable":
        // Without regions it is an acknowledgement of postcopy, which leaves the table as it is.
        if ((body.value.regions ?? []).length > 0) this.regions = body.value.regions;
        break;
      case "vhostUserAddMemReg":
        this.regions ??= [];
        if (this.regions.length < MAX_REGIONS) this.regions.push(body.value.region);
        break;
      case "vhostUserRemMemReg":
        this.regions = this.regions?.filter((region) => !sameRegion(region, body.value.region));
        break;
      case "vhostUserSetLogBase":
        this.log = body.value.base.case === "log" ? body.value.base.value : true;
        break;
      case "vhostUserSetVringAddr":
        this.ring(body.value.index).addresses = body.value;
        break;
      case "vhostUserSetVringKick":
      case "vhostUserVringKick":
        this.ring(body.value.index).running = true;
        break;
      case "vhostUserGetVringBase":
        this.ring(body.value.index).running = false;
        break;
      case "vhostUserResetDevice":
      case "vhostUserResetOwner":
        for (const ring of this.rings.values()) ring.running = false;
        break;
      case "vhostUserPostcopyAdvise":
        this.postcopy = "advised";
        break;
      case "vhostUserPostcopyListen":
        this.postcopy = "listening";
        break;
      case "vhostUserPostcopyEnd":
        this.postcopy = "none";
        break;
      case "vhostUserSetDeviceStateFd":
        this.transferring = true;
        break;
      case "vhostUserCheckDeviceState":
        this.transferring = false;
        break;
    }
  }

  private takeReply({ body: tagged }: VhostUserMessage): void {
    if (tagged?.kind !== "frontend-reply") return;
    const { body } = tagged;
    switch (body.case) {
      case "vhostUserGetFeatures":
        this.offeredFeatures = body.value.features;
        break;
      case "vhostUserGetProtocolFeatures":
        this.offeredProtocolFeatures = body.value.protocolFeatures;
        break;
      case "vhostUserGetQueueNum":
        this.queueCount = body.value.queueNum;
        break;
      case "vhostUserGetMaxMemSlots":
        this.memorySlots = body.value.slots;
        break;
      case "vhostUserSetDeviceStateFd":
        // A transfer that the back-end has refused is none.
        if (body.value.error !== 0) this.transferring = false;
        break;
    }
  }

  private ring(index: number): Ring {
    const known = this.rings.get(index);
    if (known !== undefined) return known;
    const ring: Ring = { running: false, addresses: undefined };
    if (index < MAX_RINGS) this.rings.set(index, ring);
    return ring;
  }
}

/** The front-end's view of a region, which is what names it when it is removed. */
export function sameRegion(a: VhostUserMemoryRegion, b: VhostUserMemoryRegion): boolean {
  return (
    a.guestPhysAddr === b.guestPhysAddr &&
    a.userspaceAddr === b.userspaceAddr &&
    a.memorySize === b.memorySize
  );
}

function test(
  name: string,
  features: bigint | undefined,
  protocolFeatures: bigint | undefined,
  whole: boolean,
): boolean | undefined {
  const protocol = flag(VhostUserProtocolFeature, name);
  const mask = protocol ?? flag(VirtioFeature, name);
  if (mask === undefined) throw new RangeError(`no feature is called ${name}`);
  const set = protocol === undefined ? features : protocolFeatures;
  if (set === undefined) return whole ? false : undefined;
  return (set & mask) !== 0n;
}

function flag(members: Readonly<Record<string, bigint>>, name: string): bigint | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}
