/** Two hosts for the tests: each with an owner and members, and a driver of the owner. */
import { BlkDevice, type BlkOptions } from "../../../src/device/devices/blk.js";
import { AdminDriver } from "../../../src/device/drivers/admin-driver.js";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { BlkDriver } from "../../../src/device/guest/blk-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { type DeviceOptions, VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import type { CommandProfile } from "../../../src/device/owner/command.js";
import { type CarriedOut, OwnerDevice } from "../../../src/device/owner/owner-device.js";

export const MEMBER = 1;
/** Room for the rings of a queue of 32 descriptors, for requests, and for a page that nobody uses. */
export const GUEST_SIZE = 1 << 16;
const HOST_SIZE = 1 << 16;
/** Of a command of the administration virtqueue. */
const COMMAND_SIZE = 1 << 13;
export const SECTORS = 64;

export interface Host {
  readonly disk: Uint8Array;
  readonly memory: GuestMemory;
  readonly type: BlkDevice;
  readonly member: VirtioDevice;
  readonly owner: VirtioDevice;
  readonly admin: AdminDriver;
  /** A driver that resets the owner and sets it up again. */
  readonly connect: () => AdminDriver;
  readonly log: CarriedOut[];
  readonly interrupts: string[];
}

/** A host with one block device as member 1, in guest memory of its own. */
export function host(
  profile: CommandProfile,
  options: Partial<Omit<BlkOptions, "disk">> &
    DeviceOptions & { readonly disk?: BlkOptions["disk"]; readonly useAll?: boolean } = {},
): Host {
  const disk = options.disk instanceof Uint8Array ? options.disk : new Uint8Array(SECTORS * 512);
  const memory = GuestMemory.of(GUEST_SIZE);
  const interrupts: string[] = [];
  const type = new BlkDevice({ queueSize: 16, depth: 4, ...options, disk: options.disk ?? disk });
  const member = new VirtioDevice(
    type,
    memory,
    { queue: (queue) => interrupts.push(`queue ${queue}`), config: () => interrupts.push("config") },
    { packed: true, ...options },
  );
  const hostMemory = GuestMemory.of(HOST_SIZE);
  const log: CarriedOut[] = [];
  const ownerType = new OwnerDevice({
    members: new Map([[MEMBER, member]]),
    profile,
    onCommand: (command) => log.push(command),
  });
  const owner = new VirtioDevice(ownerType, hostMemory, { queue: () => {}, config: () => {} });
  const bus = { common: new CommonConfig(owner), notify: (queue: number) => owner.notify(queue) };
  const connect = (): AdminDriver =>
    new AdminDriver(bus, hostMemory, new Allocator(0x1000, HOST_SIZE), COMMAND_SIZE);
  const admin = connect();
  if (options.useAll !== false) admin.useAll();
  return { disk, memory, type, member, owner, admin, connect, log, interrupts };
}

const PACKED = 1n << 34n;

/** A guest's driver on the member of a host. */
export function guestOn({ member, memory }: Host, without: bigint = PACKED): BlkDriver {
  const bus = { common: new CommonConfig(member), notify: (queue: number) => member.notify(queue) };
  return new BlkDriver(bus, memory, new Allocator(0x1000, GUEST_SIZE), { without, slots: 8, sectors: 2 });
}

/** The guest's memory and its driver move to another host. */
export function moveGuest(guest: BlkDriver, from: Host, to: Host): void {
  to.memory.write(0, from.memory.read(0, GUEST_SIZE));
  attachGuest(guest, to);
}

/** The guest's driver goes on at another host, where its memory is. */
export function attachGuest(guest: BlkDriver, to: Host): void {
  guest.attach(
    { common: new CommonConfig(to.member), notify: (queue: number) => to.member.notify(queue) },
    to.memory,
  );
}
