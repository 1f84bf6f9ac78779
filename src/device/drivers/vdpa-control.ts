/**
 * A model of how vhost-vdpa stops a device without losing what it knows: SUSPEND, then the bases of its virtqueues, then
 * RESUME, here or where the guest goes on.
 * @source linux/vhost.h, VHOST_VDPA_SUSPEND and VHOST_VDPA_RESUME; linux/vhost_types.h, VHOST_BACKEND_F_SUSPEND
 */

import { VhostBackendFeature } from "../../../generated/vhost/uapi.js";
import { VirtioDeviceStatus } from "../../../generated/virtio/ids.js";
import type { QueueStanding } from "../member/device-state.js";
import type { VirtioDevice } from "../member/virtio-device.js";

const { VHOST_BACKEND_F_SUSPEND, VHOST_BACKEND_F_RESUME } = VhostBackendFeature;

/** The kernel's errors, by name. */
export class VdpaError extends Error {
  readonly code: "EOPNOTSUPP" | "EINVAL";

  constructor(code: "EOPNOTSUPP" | "EINVAL", message: string) {
    super(`${code}: ${message}`);
    this.name = "VdpaError";
    this.code = code;
  }
}

export class VdpaControl {
  /** What GET_BACKEND_FEATURES gives. */
  readonly offered: bigint;
  private readonly device: VirtioDevice;
  private agreed = 0n;
  private suspended = false;

  constructor(device: VirtioDevice, offered: bigint = VHOST_BACKEND_F_SUSPEND | VHOST_BACKEND_F_RESUME) {
    this.device = device;
    this.offered = offered;
  }

  get isSuspended(): boolean {
    return this.suspended;
  }

  /** SET_BACKEND_FEATURES. @throws VdpaError EOPNOTSUPP for one that is not offered; nothing is agreed on then. */
  setBackendFeatures(features: bigint): void {
    const foreign = features & ~this.offered;
    if (foreign !== 0n) throw new VdpaError("EOPNOTSUPP", `backend features 0x${foreign.toString(16)}`);
    this.agreed = features;
  }

  /**
   * No buffer is processed from now on, and none is in flight; everything else stays as it is. A device that no driver has
   * made ready has nothing to suspend.
   * @throws VdpaError EOPNOTSUPP when it was not agreed on.
   */
  suspend(): void {
    this.needs(VHOST_BACKEND_F_SUSPEND);
    if (!this.isReady) return;
    this.device.finish();
    this.device.setMode("stop");
    this.suspended = true;
  }

  /** The device goes on from where its virtqueues stand. @throws VdpaError EOPNOTSUPP when it was not agreed on. */
  resume(): void {
    this.needs(VHOST_BACKEND_F_RESUME);
    if (!this.isReady) return;
    this.suspended = false;
    this.device.setMode("active");
  }

  /**
   * GET_VRING_BASE: where a virtqueue stands.
   * @throws VdpaError EINVAL when there is no such virtqueue, or when the device is at work: what it says would be out of
   *   date at once.
   */
  vringBase(queue: number): QueueStanding {
    const ring = this.device.queues[queue]?.ring;
    if (ring === undefined) throw new VdpaError("EINVAL", `virtqueue ${queue} is not in use`);
    if (!this.suspended) throw new VdpaError("EINVAL", "the device is not suspended");
    return ring.position;
  }

  /** Status zero: a device is at work again once its next driver is ready. What was agreed on stays. */
  reset(): void {
    this.device.reset();
    this.suspended = false;
    this.device.setMode("active");
  }

  private get isReady(): boolean {
    return (this.device.status & VirtioDeviceStatus.VIRTIO_CONFIG_S_DRIVER_OK) !== 0;
  }

  private needs(feature: bigint): void {
    if ((this.agreed & feature) === 0n) {
      throw new VdpaError("EOPNOTSUPP", `backend feature 0x${feature.toString(16)} was not agreed on`);
    }
  }
}
