/** The requests in flight that a device keeps in its own part: of which virtqueue each is, and in which order they were taken. */
import type { QemuVirtqueueRequest } from "../../../../generated/qemu/virtio/element.js";
import { savedValue } from "./saved.js";
import type { VirtioState } from "./state.js";

export interface SavedRequest {
  readonly queue: number;
  readonly request: QemuVirtqueueRequest;
}

/** The oldest first. Those of a SCSI controller are in the sections of its disks. */
export function savedRequests(state: VirtioState): SavedRequest[] {
  // QEMU puts the newest in front.
  const blk = [...(savedValue(state, "qemu_virtio_blk")?.requests ?? [])].reverse();
  const ports = savedValue(state, "qemu_virtio_serial")?.ports ?? [];
  return [
    ...blk.map(({ vqIndex = 0, request }) => ({ queue: vqIndex, request })),
    ...ports.flatMap(({ id, request }) =>
      request === undefined ? [] : [{ queue: outputQueue(id), request }],
    ),
  ];
}

/** Two virtqueues for port 0, two for control, then two for each further port; output is the second. */
export function outputQueue(port: number): number {
  return port === 0 ? 1 : 2 * port + 3;
}
