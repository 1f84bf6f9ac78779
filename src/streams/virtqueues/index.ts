/** Virtqueues in guest memory of a device that stands still, read as its driver and it left them. */
export type { Chain, ChainFault, ChainFaultCode, Descriptor } from "./chain.js";
export { type InFlight, type SplitHistory, splitInFlight } from "./in-flight.js";
export { type GuestBytes, MAX_QUEUE_SIZE, RingMemory, type VirtqueuePlace } from "./memory.js";
export { type PackedContent, type PackedStanding, PackedVirtqueue } from "./packed.js";
export { advance, isAvailable, type RingPosition } from "./packed-position.js";
export { type AvailableRing, type SplitTraits, SplitVirtqueue, type UsedRing } from "./split.js";
