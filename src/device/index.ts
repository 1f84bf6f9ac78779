/** The reference device: guest memory and virtqueues, both sides of them. No I/O: a transport brings the bytes. */

export {
  GuestAddressError,
  GuestMemory,
  guestAddress,
  type MemoryRegion,
  type Segment,
  type WriteObserver,
} from "./memory/guest-memory.js";
export { type PageRange, WrittenPages } from "./memory/written-pages.js";
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
  UsedBuffer,
} from "./rings/queue.js";
export { SplitDeviceQueue } from "./rings/split-device.js";
export { SplitDriverQueue } from "./rings/split-driver.js";
