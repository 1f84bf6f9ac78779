/** What a virtqueue of either kind notes about the buffers that it has. */
import type { DescriptorChain } from "../../../device/index.js";

/** The part of one virtqueue. The front-end can write to it at any time: what it says is checked before it is used. */
export interface InflightQueue {
  /** A buffer has been taken. */
  took(chain: DescriptorChain): void;
  /** The driver is about to see that the buffer is used. `id`: as of its chain. */
  using(id: number): void;
  /** It does now. `usedIndex`: where the device stands. */
  usedBy(id: number, usedIndex: number): void;
}
