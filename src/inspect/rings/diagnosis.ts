/**
 * What QEMU says when it loads a virtqueue whose indices do not fit together, and which of the parties is to blame: by which
 * of the three numbers is out of step with the other two.
 * @source QEMU 10.0.2, hw/virtio/virtio.c, virtio_load
 */
import type { SplitQueueRings } from "../../streams/index.js";
import { hex } from "../report.js";
import { numberText } from "../values.js";

export interface RingDiagnosis {
  /** QEMU's own words. */
  readonly message: string;
  /** What then happens. */
  readonly consequence: string;
  readonly blame: string;
}

/** Undefined: there is nothing to say, or memory does not tell. */
export function diagnose(queue: SplitQueueRings): RingDiagnosis | undefined {
  const { verdict, available, used, delta = 0, index, size, lastAvailable } = queue;
  if (verdict === "index" && available !== undefined) {
    return {
      message: `VQ ${index} size ${hex(size)} Guest index ${hex(available.index)} inconsistent with Host index ${hex(lastAvailable)}: delta ${hex(delta)}`,
      consequence:
        "QEMU loads the rest, and the device is broken from then on: it takes and gives back nothing until the driver resets it.",
      blame: indexBlame(queue, available.index, used?.index),
    };
  }
  if (verdict === "inuse" && used !== undefined) {
    return {
      message: `VQ ${index} size ${hex(size)} < last_avail_idx ${hex(lastAvailable)} - used_idx ${hex(used.index)}`,
      consequence: "QEMU refuses the stream.",
      blame: inUseBlame(queue, used.index),
    };
  }
  return undefined;
}

function indexBlame(queue: SplitQueueRings, available: number, used: number | undefined): string {
  const { size, lastAvailable } = queue;
  if (isEmpty(queue)) {
    return `Both rings are empty in memory, and by its state the device has taken ${buffers(lastAvailable)}: the guest has cleared or reused the memory without resetting the device (firmware and kernels that hand over do), or the pages of the rings were never sent.`;
  }
  const ahead = forward(available, lastAvailable);
  const inMemory = used === undefined ? undefined : forward(used, available);
  if (ahead !== undefined) {
    if (used !== undefined && inMemory === undefined) {
      return `The device has given back ${buffers(forward(available, used) ?? 0)} more than the driver has made available in this memory: the page of the available ring, which the guest writes, is older than that of the used ring. A write of the guest was not noticed, or the page was not sent again.`;
    }
    return `The rings agree with each other, and the device's state is ${buffers(ahead)} ahead of both: the memory is of an earlier moment than the state. The device or its back-end went on after the pages were sent, or its writes into memory were not logged.`;
  }
  const waiting = forward(lastAvailable, available) ?? 0;
  if (inMemory !== undefined && inMemory <= size) {
    return `The rings agree with each other (${inMemory} taken or waiting), and the device's state is ${buffers(waiting)} behind, more than the ring holds: the state is older than the memory, or of another ring. With a vhost back-end: its position (GET_VRING_BASE) was read before it had stopped, or not at all.`;
  }
  const inFlight = used === undefined ? undefined : forward(used, lastAvailable);
  if (inFlight !== undefined && inFlight <= size) {
    return `The used ring and the device's state agree; the available ring alone is ${buffers(waiting)} ahead of them, more than it holds: the guest has overwritten its index, or its page is of another moment.`;
  }
  return `The available ring is ${buffers(waiting)} ahead of the device, more than it holds, and the used ring fits neither: the guest has overwritten the rings, or this is not where they lie.`;
}

function inUseBlame({ lastAvailable, size }: SplitQueueRings, used: number): string {
  const behind = forward(lastAvailable, used);
  if (behind !== undefined) {
    return `In memory the device has given back ${buffers(behind)} more than it has taken by its state: the state is older than the memory. With a vhost back-end: its position (GET_VRING_BASE) was read before it had stopped.`;
  }
  return `By its state the device has taken ${buffers(forward(used, lastAvailable) ?? 0)} more than the used ring says, and only ${size} can be in flight: the page of the used ring, which the device writes, is older than the state. A write of the device or its back-end was not logged, or the page was not sent again.`;
}

function isEmpty({ available, used }: SplitQueueRings): boolean {
  return (
    available?.index === 0 &&
    used?.index === 0 &&
    available.heads.every((head) => head === 0) &&
    used.heads.every((head) => head === 0)
  );
}

/** How far `to` is ahead of `from`; undefined where it is behind. Indices count freely and wrap at 65536. */
function forward(from: number, to: number): number | undefined {
  const distance = (to - from) & 0xffff;
  return distance < 0x8000 ? distance : undefined;
}

function buffers(count: number): string {
  return count === 1 ? "1 buffer" : `${numberText(count)} buffers`;
}
