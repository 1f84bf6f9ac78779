/**
 * The reference device: members and owner of a group, their drivers, and what they stand on, guest memory and
 * virtqueues. No I/O: a transport brings the bytes.
 */

export type { GuestBytes } from "../streams/virtqueues/memory.js";
export { gratuitousArpFrame, rarpFrame } from "./devices/announcement.js";
export { BlkDevice, type BlkOptions } from "./devices/blk.js";
export { type Disk, MemoryDisk } from "./devices/disk.js";
export { Errno, FsError } from "./devices/fs/error.js";
export { FsTree, type FsTreeOptions, type TreeNode } from "./devices/fs/tree.js";
export { FsDevice, type FsOptions } from "./devices/fs.js";
export { type FramePort, Hub, type Link, MAX_FRAME } from "./devices/link.js";
export { NetDevice, type NetOptions } from "./devices/net.js";
export { Responder, type ResponderOptions } from "./devices/responder.js";
export {
  type AdminAnswer,
  type AdminCommand,
  AdminCommandError,
  AdminDriver,
} from "./drivers/admin-driver.js";
export { DevicePartsDriver, enableDeviceParts, ObjectIds } from "./drivers/device-parts-driver.js";
export { DraftV2Driver } from "./drivers/draft-v2-driver.js";
export { type AddressRegisters, LegacyDriver } from "./drivers/legacy-driver.js";
export { VdpaControl, VdpaError } from "./drivers/vdpa-control.js";
export {
  NEXT_STATE,
  pathBetween,
  VFIO_STATES,
  type VfioFeature,
  type VfioState,
} from "./drivers/vfio-states.js";
export {
  mergedPolicy,
  type PrecopyInfo,
  type PrecopyPolicy,
  SERIES_POLICY,
  VfioError,
  type VfioErrorCode,
  VfioVirtioDevice,
  type VfioVirtioOptions,
} from "./drivers/vfio-virtio.js";
export { DeviceContextReader, writeDeviceContext } from "./formats/device-context.js";
export { DevicePartsReader, deviceParts, type EncodedPart } from "./formats/device-parts.js";
export type { Assumption, Loss, Written } from "./formats/loss.js";
export { ownLosses } from "./formats/qemu/own.js";
export { type QemuReading, type QemuReadOptions, readQemuState } from "./formats/qemu/read.js";
export { type QemuWritten, writeQemuState } from "./formats/qemu/write.js";
export { type Reading, type StateFormat, StateReader } from "./formats/state-reader.js";
export { writeState } from "./formats/state-writer.js";
export { Allocator } from "./guest/allocator.js";
export { type BlkAnswer, BlkDriver } from "./guest/blk-driver.js";
export { FsDriver, type FsDriverOptions, type FsReply, FuseError } from "./guest/fs-driver.js";
export { type DeviceBus, GuestDriver } from "./guest/guest-driver.js";
export { type NetBus, NetDriver, type NetDriverOptions } from "./guest/net-driver.js";
export { CommonConfig } from "./member/common-config.js";
export type {
  BufferPart,
  BufferParts,
  DeviceState,
  NetState,
  OwnedBuffer,
  QueueStanding,
  QueueState,
} from "./member/device-state.js";
export type { DevicePort, DeviceType, InternalState } from "./member/device-type.js";
export type { Interrupts } from "./member/interrupt-status.js";
export type { MigrationMode, Transition } from "./member/migration-mode.js";
export { type DeviceOptions, VirtioDevice } from "./member/virtio-device.js";
export {
  GuestAddressError,
  GuestMemory,
  guestAddress,
  type MemoryRegion,
  type Segment,
  type WriteObserver,
} from "./memory/guest-memory.js";
export { reportBitmap, reportedPages } from "./memory/report-bitmap.js";
export { type PageRange, WrittenPages } from "./memory/written-pages.js";
export type { MigrationChannel } from "./migration/channel.js";
export { type ReceiveOptions, receiveGuest, type Taken } from "./migration/destination.js";
export { DeviceContextDestination, DeviceContextSource } from "./migration/device-context-member.js";
export { DevicePartsDestination, DevicePartsSource } from "./migration/device-parts-member.js";
export { type DirtyLog, ObservedLog, WriteRecordLog } from "./migration/dirty-log.js";
export type { DestinationMember, MemberKind, ResetMember, SourceMember } from "./migration/member.js";
export { MigrationError, type MigrationErrorCode } from "./migration/migration-error.js";
export {
  type MigrationEvent,
  type RoundReport,
  type SwitchoverPolicy,
  withFewPages,
  withinDowntime,
} from "./migration/progress.js";
export { type SendOptions, type Sent, type SourceProcessors, sendGuest } from "./migration/source.js";
export { VfioDestination, VfioSource } from "./migration/vfio-member.js";
export { AdminError } from "./owner/admin-error.js";
export type {
  Answer,
  CommandInput,
  CommandProfile,
  MemberCommand,
  OwnerCommand,
} from "./owner/command.js";
export { DraftV2Profile } from "./owner/draft-v2.js";
export type { LegacyOptions, NotifyAddress } from "./owner/legacy-access.js";
export { type CarriedOut, OwnerDevice, type OwnerOptions } from "./owner/owner-device.js";
export { type Virtio14Options, Virtio14Profile } from "./owner/virtio-1-4.js";
export type { DescriptorChain } from "./rings/chain.js";
export { RingFault, type RingFaultCode } from "./rings/fault.js";
export { PackedDeviceQueue } from "./rings/packed-device.js";
export { PackedDriverQueue } from "./rings/packed-driver.js";
export type {
  DeviceQueue,
  DriverBuffer,
  DriverQueue,
  QueueFeatures,
  QueuePlace,
  QueuePosition,
  RingDescriptor,
  UsedBuffer,
} from "./rings/queue.js";
export { START as QUEUE_START } from "./rings/queue.js";
export { SplitDeviceQueue } from "./rings/split-device.js";
export { SplitDriverQueue } from "./rings/split-driver.js";
