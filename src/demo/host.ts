/** A host of the demonstration: the guest's memory, a block and a network device as members of a group, their owner. */
import { VirtioAdminGroupType } from "../../generated/virtio/admin.js";
import { VirtioFeature } from "../../generated/virtio/features.js";
import type { VirtioDeviceId } from "../../generated/virtio/ids.js";
import {
  AdminDriver,
  Allocator,
  BlkDevice,
  CommonConfig,
  type DestinationMember,
  type DeviceBus,
  DeviceContextDestination,
  DeviceContextSource,
  DevicePartsDestination,
  DevicePartsDriver,
  DevicePartsSource,
  DraftV2Driver,
  DraftV2Profile,
  enableDeviceParts,
  GuestMemory,
  MemoryDisk,
  type NetBus,
  NetDevice,
  ObjectIds,
  ObservedLog,
  OwnerDevice,
  Responder,
  type SourceMember,
  VfioDestination,
  VfioSource,
  VfioVirtioDevice,
  Virtio14Profile,
  VirtioDevice,
} from "../device/index.js";
import type { Station } from "./ping.js";

/** By what members move. */
export const FORMATS = ["device-context", "device-parts", "vfio"] as const;
export type Format = (typeof FORMATS)[number];

export const GUEST: Station = { mac: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56), address: 0x0a000002 };
export const GATEWAY: Station = { mac: Uint8Array.of(0x52, 0x55, 0x0a, 0, 0, 1), address: 0x0a000001 };

const HOST_MEMORY = 1 << 20;
const NO_INTERRUPTS = { queue: () => {}, config: () => {} };
/** What is in flight shall be seen to move: requests are taken long before they are carried out. */
const DEPTH = 8;
const QUEUE_SIZE = 64;
/** A device context has no field for packed virtqueues. */
const WITHOUT: bigint = VirtioFeature.VIRTIO_F_RING_PACKED;

export class DemoHost {
  readonly memory: GuestMemory;
  readonly blk: VirtioDevice;
  readonly net: VirtioDevice;
  private readonly netType: NetDevice;
  private readonly format: Format;
  private readonly admin: AdminDriver;
  private readonly ids = new ObjectIds();

  /** `disk`: storage that both hosts reach. `memory` in bytes. */
  constructor(format: Format, memory: number, disk: Uint8Array) {
    this.format = format;
    this.memory = GuestMemory.of(memory);
    const options = { deferred: true, without: WITHOUT };
    const blk = new BlkDevice({ disk: new MemoryDisk(disk), queueSize: QUEUE_SIZE, depth: DEPTH });
    this.netType = new NetDevice({ mac: GUEST.mac, link: new Responder(GATEWAY), queueSize: QUEUE_SIZE });
    this.blk = new VirtioDevice(blk, this.memory, NO_INTERRUPTS, options);
    this.net = new VirtioDevice(this.netType, this.memory, NO_INTERRUPTS, options);
    const hostMemory = GuestMemory.of(HOST_MEMORY);
    const profile = format === "device-context" ? new DraftV2Profile() : new Virtio14Profile();
    const members = new Map(this.members.map((device, index) => [index + 1, device]));
    const owner = new VirtioDevice(new OwnerDevice({ members, profile }), hostMemory, NO_INTERRUPTS);
    this.admin = new AdminDriver(busOf(owner), hostMemory, new Allocator(0, HOST_MEMORY));
    this.admin.useAll();
    if (format === "device-context") return;
    this.admin.useAll(VirtioAdminGroupType.VIRTIO_ADMIN_GROUP_TYPE_SELF);
    enableDeviceParts(this.admin);
  }

  get members(): readonly VirtioDevice[] {
    return [this.blk, this.net];
  }

  get blkBus(): DeviceBus {
    return busOf(this.blk);
  }

  get netBus(): NetBus {
    return { ...busOf(this.net), deviceConfig: () => this.netType.config() };
  }

  /** Some of the work that there is for the devices. */
  run(budget: number): void {
    for (const device of this.members) device.run(undefined, budget);
  }

  sources(): SourceMember[] {
    return this.members.map((device, index) => {
      const log = new ObservedLog(device.memory);
      switch (this.format) {
        case "device-context":
          return new DeviceContextSource(new DraftV2Driver(this.admin, index + 1), device.type.id);
        case "device-parts":
          return new DevicePartsSource(this.partsOf(index + 1), device.type.id, log);
        case "vfio":
          return new VfioSource(this.vfioOf(index + 1, device.type.id), device.type.id, log);
      }
    });
  }

  destinations(): DestinationMember[] {
    return this.members.map((device, index) => {
      const { id } = device.type;
      const reset = (): void => device.reset();
      switch (this.format) {
        case "device-context":
          return new DeviceContextDestination(new DraftV2Driver(this.admin, index + 1), id, reset);
        case "device-parts":
          return new DevicePartsDestination(this.partsOf(index + 1), id, reset);
        case "vfio":
          return new VfioDestination(this.vfioOf(index + 1, id), id, reset);
      }
    });
  }

  private partsOf(memberId: number): DevicePartsDriver {
    return new DevicePartsDriver(this.admin, memberId, this.ids);
  }

  private vfioOf(memberId: number, device: VirtioDeviceId): VfioVirtioDevice {
    return new VfioVirtioDevice(this.partsOf(memberId), { device });
  }
}

function busOf(device: VirtioDevice): DeviceBus {
  return { common: new CommonConfig(device), notify: (queue) => device.notify(queue) };
}
