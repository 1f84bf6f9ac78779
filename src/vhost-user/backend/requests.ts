/** Every request of a front-end, and what it does to the device. What cannot be done is a Refusal or a RangeError. */
import type { VhostVringState } from "../../../generated/vhost/uapi.js";
import {
  encodeVhostUserBackendRequestMessage,
  VhostUserBackendRequest,
  type VhostUserConfig,
  type VhostUserFrontendRequestPayloadBody,
  type VhostUserFrontendRequestReplyBody,
  type VhostUserInflight,
  type VhostUserLogBase,
  VhostUserProtocolFeature,
  type VhostUserVringBase,
  type VhostUserVringFd,
} from "../../../generated/vhost-user/messages.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import type { DeviceType } from "../../device/index.js";
import { DirtyLog } from "../../streams/index.js";
import { HOST_IS_LITTLE } from "../host.js";
import { protocolFeaturesOf, queueNumber } from "../protocol-features.js";
import type { Descriptor, Mapping, System } from "../system/index.js";
import type { BackendEvent } from "./events.js";
import { InflightRegion, inflightSize } from "./inflight/region.js";
import { MAX_MEMORY_SLOTS, mapped } from "./memory-table.js";
import { Refusal } from "./refusal.js";
import type { SessionOptions } from "./session.js";
import { StateTransfer } from "./state-transfer.js";
import { VhostUserDevice } from "./vhost-user-device.js";
import type { Vring } from "./vring.js";

const { VHOST_USER_PROTOCOL_F_CONFIG } = VhostUserProtocolFeature;
/** Far above every device's. */
const MAX_INFLIGHT_QUEUE_SIZE = 32768;

/** A reply of a request's own; undefined: it is acknowledged, if at all. The descriptor is closed when it is sent. */
export type Answer =
  | { readonly body: VhostUserFrontendRequestReplyBody; readonly descriptor?: Descriptor }
  | undefined;

export class RequestHandler {
  /** Negotiated. */
  features = 0n;
  protocolFeatures = 0n;
  private readonly device: VhostUserDevice;
  private readonly system: System;
  private readonly offered: bigint;
  private readonly onEvent: (event: BackendEvent) => void;
  private log: Mapping | undefined;
  private inflight: Mapping | undefined;
  /** The second channel, for requests of the back-end. */
  private backendChannel: Descriptor | undefined;
  private readonly transfer: StateTransfer;

  constructor(type: DeviceType, system: System, options: SessionOptions) {
    this.system = system;
    this.onEvent = options.onEvent ?? (() => {});
    this.offered = protocolFeaturesOf(type.id, options.withoutProtocol);
    this.device = new VhostUserDevice(type, system, {
      without: options.without,
      onEvent: this.onEvent,
      onConfigChange: () => this.tellConfigChange(),
    });
    this.transfer = new StateTransfer(this.device, this.onEvent);
  }

  hasProtocol(feature: bigint): boolean {
    return (this.protocolFeatures & feature) !== 0n;
  }

  /** Nothing that is waited for comes any more. */
  cancel(): void {
    this.transfer.cancel();
  }

  async close(): Promise<void> {
    this.cancel();
    await this.transfer.isGood;
    await this.device.close();
  }

  /** The reply by which a request with a reply of its own is refused; undefined: it has no such form. */
  refusalOf(body: VhostUserFrontendRequestPayloadBody): VhostUserFrontendRequestReplyBody | undefined {
    switch (body.case) {
      case "vhostUserGetConfig":
        return { case: body.case, value: {} };
      case "vhostUserGetInflightFd":
        return { case: body.case, value: { ...body.value, mmapSize: 0n, mmapOffset: 0n } };
      case "vhostUserSetDeviceStateFd":
        return { case: body.case, value: { error: 1, nofd: 1 } };
      default:
        return undefined;
    }
  }

  /** Descriptors that are taken over are taken out of the list. */
  async handle(body: VhostUserFrontendRequestPayloadBody, descriptors: Descriptor[]): Promise<Answer> {
    const { device } = this;
    switch (body.case) {
      // Features.
      case "vhostUserGetFeatures":
        return { body: { case: body.case, value: { features: device.features } } };
      case "vhostUserSetFeatures":
        return this.setFeatures(body.value.features);
      case "vhostUserGetProtocolFeatures":
        return { body: { case: body.case, value: { protocolFeatures: this.offered } } };
      case "vhostUserSetProtocolFeatures":
        if ((body.value.protocolFeatures & ~this.offered) !== 0n) throw new Refusal("it is not offered");
        this.protocolFeatures = body.value.protocolFeatures;
        return undefined;
      case "vhostUserGetQueueNum": {
        const queueNum = BigInt(queueNumber(device.type.id, device.vrings.length));
        return { body: { case: body.case, value: { queueNum } } };
      }
      case "vhostUserSetOwner":
        return undefined;

      // Memory and the log of writes to it.
      case "vhostUserSetMemTable":
        return device.undisturbed(() => device.table.replace(body.value.regions ?? [], descriptors));
      case "vhostUserAddMemReg":
        return device.undisturbed(() => device.table.add(body.value.region, descriptors[0]));
      case "vhostUserRemMemReg":
        return device.undisturbed(() => device.table.remove(body.value.region));
      case "vhostUserGetMaxMemSlots":
        return { body: { case: body.case, value: { slots: BigInt(MAX_MEMORY_SLOTS) } } };
      case "vhostUserSetLogBase":
        return this.setLog(body.value, descriptors[0]);
      case "vhostUserSetLogFd":
        // Nobody is told of single writes: who wants to know takes what is in the log, as QEMU does.
        return undefined;

      // Virtqueues.
      case "vhostUserSetVringNum": {
        const vring = this.vringOf(body.value.index);
        return device.undisturbed(() => vring.setSize(body.value.num));
      }
      case "vhostUserSetVringAddr": {
        const vring = this.vringOf(body.value.index);
        return device.undisturbed(() => {
          vring.addresses = body.value;
        });
      }
      case "vhostUserSetVringBase":
        return this.setBase(body.value);
      case "vhostUserGetVringBase":
        return this.getBase(body.value);
      case "vhostUserSetVringKick":
        return this.setKick(body.value, descriptors.shift());
      case "vhostUserSetVringCall":
        return this.setNotifier(body.value, "call", descriptors.shift());
      case "vhostUserSetVringErr":
        return this.setNotifier(body.value, "error", descriptors.shift());
      case "vhostUserSetVringEnable": {
        const vring = this.vringOf(body.value.index);
        vring.enabled = body.value.num !== 0;
        device.start(vring);
        return undefined;
      }
      case "vhostUserGetInflightFd":
        return this.getInflight(body.value);
      case "vhostUserSetInflightFd":
        return this.setInflight(body.value, descriptors[0]);

      // The device.
      case "vhostUserGetConfig":
        return { body: { case: body.case, value: { config: this.readConfig(body.value) } } };
      case "vhostUserSetConfig":
        device.type.writeConfig(body.value.offset, body.value.region);
        return undefined;
      case "vhostUserSetStatus":
        device.status = Number(body.value.status & 0xffn);
        return undefined;
      case "vhostUserGetStatus":
        return { body: { case: body.case, value: { status: BigInt(device.status) } } };
      case "vhostUserResetDevice":
      case "vhostUserResetOwner":
        return this.reset();
      case "vhostUserSendRarp":
        this.onEvent({ kind: "announced", mac: body.value.mac.slice() });
        device.type.announce?.(body.value.mac);
        return undefined;
      case "vhostUserSetBackendReqFd":
        return this.setBackendChannel(descriptors.shift());
      case "vhostUserSetDeviceStateFd": {
        this.transfer.begin(body.value, descriptors[0]);
        descriptors.shift();
        return { body: { case: body.case, value: { error: 0, nofd: 1 } } };
      }
      case "vhostUserCheckDeviceState": {
        const isGood = await this.transfer.isGood;
        return { body: { case: body.case, value: { value: isGood ? 0n : 1n } } };
      }
      default:
        throw new Refusal("nothing here does that");
    }
  }

  private vringOf(index: number): Vring {
    const vring = this.device.vrings[index];
    if (vring === undefined) {
      throw new Refusal(`virtqueue ${index}, here are ${this.device.vrings.length}`);
    }
    return vring;
  }

  private async setFeatures(features: bigint): Promise<undefined> {
    await this.device.undisturbed(() => this.device.setFeatures(features));
    this.features = features;
  }

  private async setLog({ base }: VhostUserLogBase, descriptor: Descriptor | undefined): Promise<undefined> {
    if (base.case !== "log" || descriptor === undefined) throw new Refusal("a log that is not shared memory");
    const { mmapOffset, mmapSize } = base.value;
    const [log, mapping] = this.lasting(descriptor, mmapOffset, mmapSize, (bytes) => new DirtyLog(bytes));
    const before = this.log;
    await this.device.undisturbed(() => this.device.setLog(log));
    this.log = mapping;
    before?.close();
  }

  /** What `make` makes of shared memory, and the mapping that it lasts with. @throws Refusal, RangeError */
  private lasting<T>(
    descriptor: Descriptor,
    offset: bigint,
    size: bigint,
    make: (bytes: Uint8Array) => T,
  ): readonly [T, Mapping] {
    const mapping = mapped(this.system, descriptor, offset, size);
    try {
      return [make(mapping.bytes), mapping];
    } catch (error) {
      // A front-end that is refused again and again must not fill up the address space.
      mapping.close();
      throw error;
    }
  }

  private setBase({ split, packed }: VhostUserVringBase): Promise<undefined> {
    const vring = this.vringOf((packed ?? split)?.index ?? -1);
    return this.device.undisturbed(() => {
      vring.position =
        packed === undefined
          ? { available: split?.availIdx ?? 0, used: 0, availableWrap: true, usedWrap: true }
          : {
              available: packed.availIdx,
              used: packed.usedIdx,
              availableWrap: packed.availWrapCounter === 1,
              usedWrap: packed.usedWrapCounter === 1,
            };
    });
  }

  private async getBase({ index }: VhostVringState): Promise<Answer> {
    const vring = this.vringOf(index);
    const wasRunning = vring.ring !== undefined;
    await this.device.undisturbed(() => vring.stop());
    if (wasRunning) this.onEvent({ kind: "stopped", queue: index });
    const { available, used, availableWrap, usedWrap } = vring.position;
    const value: VhostUserVringBase = this.isPacked
      ? {
          packed: {
            index,
            availIdx: available,
            availWrapCounter: availableWrap ? 1 : 0,
            usedIdx: used,
            usedWrapCounter: usedWrap ? 1 : 0,
          },
        }
      : { split: { index, availIdx: available } };
    return { body: { case: "vhostUserGetVringBase", value } };
  }

  private setKick({ index }: VhostUserVringFd, descriptor: Descriptor | undefined): undefined {
    const vring = this.ownerOf(index, descriptor);
    if (descriptor === undefined) throw new Refusal("a virtqueue without a kick would have to be polled");
    try {
      descriptor.setNonBlocking();
      descriptor.watch("readable", () => this.device.kicked(vring));
    } catch (error) {
      descriptor.close();
      throw error;
    }
    vring.kick?.close();
    vring.kick = descriptor;
    vring.started = true;
    this.device.start(vring);
  }

  private setNotifier(
    { index }: VhostUserVringFd,
    which: "call" | "error",
    descriptor: Descriptor | undefined,
  ): undefined {
    const vring = this.ownerOf(index, descriptor);
    descriptor?.setNonBlocking();
    vring[which]?.close();
    vring[which] = descriptor;
  }

  /** The virtqueue that a descriptor is for; a descriptor for none is closed. */
  private ownerOf(index: number, descriptor: Descriptor | undefined): Vring {
    try {
      return this.vringOf(index);
    } catch (error) {
      descriptor?.close();
      throw error;
    }
  }

  private get isPacked(): boolean {
    return (this.features & VirtioFeature.VIRTIO_F_RING_PACKED) !== 0n;
  }

  private getInflight({ numQueues, queueSize }: VhostUserInflight): Answer {
    if (numQueues > this.device.vrings.length || numQueues === 0 || queueSize > MAX_INFLIGHT_QUEUE_SIZE) {
      throw new Refusal(`an inflight region for ${numQueues} virtqueues of ${queueSize}`);
    }
    const mmapSize = inflightSize(numQueues, queueSize, this.isPacked);
    const descriptor = this.system.memfd("vhost-user-inflight", mmapSize);
    const tail = { case: "padding", value: new Uint8Array(4) } as const;
    const value = { mmapSize: BigInt(mmapSize), mmapOffset: 0n, numQueues, queueSize, tail };
    return { body: { case: "vhostUserGetInflightFd", value }, descriptor };
  }

  private async setInflight(
    { mmapSize, mmapOffset, numQueues, queueSize }: VhostUserInflight,
    descriptor: Descriptor | undefined,
  ): Promise<undefined> {
    if (numQueues > this.device.vrings.length || descriptor === undefined) {
      throw new Refusal(`an inflight region for ${numQueues} virtqueues`);
    }
    const [region, mapping] = this.lasting(
      descriptor,
      mmapOffset,
      mmapSize,
      (bytes) => new InflightRegion(bytes, numQueues, queueSize, this.isPacked),
    );
    const before = this.inflight;
    await this.device.undisturbed(() => this.device.setInflight(region));
    this.inflight = mapping;
    before?.close();
  }

  private readConfig({ offset, flags, region }: VhostUserConfig): VhostUserConfig {
    const config = this.device.type.config();
    // Front-ends ask for all fields that a type can have; what is not there reads as nothing.
    const read = new Uint8Array(region.length);
    read.set(config.subarray(offset, offset + region.length));
    return { offset, flags, region: read };
  }

  private async reset(): Promise<undefined> {
    await this.device.undisturbed(() => {
      for (const vring of this.device.vrings) vring.stop();
      this.device.reset();
    });
  }

  private setBackendChannel(descriptor: Descriptor | undefined): undefined {
    this.backendChannel?.close();
    descriptor?.setNonBlocking();
    this.backendChannel = descriptor;
  }

  private tellConfigChange(): void {
    if (this.backendChannel === undefined || !this.hasProtocol(VHOST_USER_PROTOCOL_F_CONFIG)) return;
    const request = VhostUserBackendRequest.VHOST_USER_BACKEND_CONFIG_CHANGE_MSG;
    const payload = { body: { case: "vhostUserBackendConfigChangeMsg", value: undefined } } as const;
    const message = { request, version: 1, reply: 0, needReply: 0, payload };
    this.backendChannel.write(encodeVhostUserBackendRequestMessage(message, HOST_IS_LITTLE));
  }
}
