/** Push parsers and writers for whole blobs and conversations. */
export { CONTAINER_MAGIC_SIZE, type ContainerKind, containerKind } from "./containers/kinds.js";
export { type LibvirtImage, libvirtTexts, readLibvirtImage } from "./containers/libvirt.js";
export { type LzopHandler, LzopParser } from "./containers/lzop.js";
export { type MachineSnapshot, Qcow2Image, type ReadImage } from "./containers/qcow2.js";
export { type Hash64, ZstdUnpacker } from "./containers/zstd.js";
export { type ZstdEvent, type ZstdFrameEvent, ZstdFrames } from "./containers/zstd-frames.js";
export { type DestinationOptions, MigrationDestination } from "./migration/destination.js";
export { BlockPages, type PageState } from "./migration/pages.js";
export { IncomingPostcopy, POSTCOPY, type PostcopyEvent, type PostcopyState } from "./migration/postcopy.js";
export { type Arc, StateMachine, type StateTable } from "./migration/state-machine.js";
export {
  DESTINATION_STATUS,
  type DestinationEvent,
  DestinationStatus,
  type MigrationStatus,
  SOURCE_STATUS,
  type SourceEvent,
  SourceStatus,
} from "./migration/status.js";
export { type PacketNote, PcapngWriter } from "./pcapng/writer.js";
export {
  type Description,
  type DescriptionResult,
  type DeviceDescription,
  describedSize,
  type FieldDescription,
  readDescription,
  type StateDescription,
} from "./qemu/description.js";
export type * from "./qemu/events.js";
export { type MultifdOptions, MultifdParser } from "./qemu/multifd.js";
export type {
  MultifdCompression,
  MultifdDeviceStateEvent,
  MultifdEvent,
  MultifdInitEvent,
  MultifdPagesEvent,
} from "./qemu/multifd-events.js";
export { type QemuStreamOptions, QemuStreamParser } from "./qemu/parser.js";
export type { RamBlock, RamCounts } from "./qemu/ram/blocks.js";
export * from "./qemu/ram-image/index.js";
export { isResumedMain } from "./qemu/resumed.js";
export {
  type PageRequest,
  type ReturnPathBitmapEvent,
  type ReturnPathEvent,
  type ReturnPathMessageEvent,
  ReturnPathParser,
} from "./qemu/return-path.js";
export { walkState } from "./qemu/state.js";
export { findDescription } from "./qemu/tail.js";
export { type BackendFormat, backendFormat } from "./qemu/virtio/backend-formats.js";
export type { FieldBehind, SavedDevice, VirtioDevice } from "./qemu/virtio/device.js";
export { virtioDeviceOf } from "./qemu/virtio/devices.js";
export {
  type FoundDevice,
  type StreamPackage,
  type StreamPlace,
  VirtioDeviceFinder,
} from "./qemu/virtio/find.js";
export type { Layout } from "./qemu/virtio/layout.js";
export type { VirtioSection } from "./qemu/virtio/locate.js";
export {
  type DeviceRings,
  type LoadVerdict,
  type PackedQueueRings,
  type QueueRings,
  readDeviceRings,
  type SplitQueueRings,
} from "./qemu/virtio/rings.js";
export { walkVirtioState } from "./qemu/virtio/section.js";
export {
  decodeVirtioState,
  encodeVirtioState,
  type SavedFields,
  type SavedPart,
  type SavedSubsection,
  type SavedTransport,
  type VirtioState,
} from "./qemu/virtio/state.js";
export type { Vmstate } from "./qemu/virtio/vmstate.js";
export {
  type DumpedField,
  type DumpedState,
  readVmstateDump,
  type VmstateDump,
} from "./qemu/vmstate-dump.js";
export { type VfioStreamEvent, VfioStreamParser, vfioRecord } from "./vfio/records.js";
export { type Finding, judgeEvent } from "./vhost-user/check.js";
export { DirtyLog, dirtyLogSize, type GuestRange } from "./vhost-user/dirty-log.js";
export { openRecording, type RecordingForm, recordingForm } from "./vhost-user/form.js";
export type * from "./vhost-user/message.js";
export {
  type ConversationHandler,
  type ConversationOptions,
  ConversationParser,
  Numbering,
} from "./vhost-user/parser.js";
export { ConversationWriter, type RecordedPiece } from "./vhost-user/pcapng-writer.js";
export type { Recording, RecordingHandler } from "./vhost-user/recording.js";
export { conversationRules } from "./vhost-user/rules/index.js";
export type { Rule } from "./vhost-user/rules/rule.js";
export type { Ring, Session } from "./vhost-user/session.js";
export { type DeviceContextEvent, DeviceContextParser, deviceContextBuffers } from "./virtio/context.js";
export {
  type DevicePartEvent,
  type DevicePartsEvent,
  DevicePartsParser,
  devicePartsBuffers,
} from "./virtio/parts.js";
export * from "./virtqueues/index.js";
