/** Push parsers and writers for whole blobs and conversations. */
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
export { type QemuStreamOptions, QemuStreamParser } from "./qemu/parser.js";
export type { RamBlock, RamCounts } from "./qemu/ram.js";
export { walkState } from "./qemu/state.js";
export { findDescription } from "./qemu/tail.js";
export { type VfioStreamEvent, VfioStreamParser, vfioRecord } from "./vfio/records.js";
export { type DeviceContextEvent, DeviceContextParser, deviceContextBuffers } from "./virtio/context.js";
export {
  type DevicePartEvent,
  type DevicePartsEvent,
  DevicePartsParser,
  devicePartsBuffers,
} from "./virtio/parts.js";
