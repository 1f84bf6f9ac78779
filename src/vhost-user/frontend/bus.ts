/**
 * A device that a back-end serves, as a guest's driver finds it: registers here, virtqueues there. What the driver writes
 * to the registers takes effect when it has the device ready, as it does in QEMU: then the features are told to the
 * back-end, and its rings are started.
 */

import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import {
  CommonConfig,
  type DeviceType,
  type DriverQueue,
  type GuestMemory,
  guestAddress,
  type NetBus,
  QUEUE_START,
  type QueuePosition,
  VirtioDevice,
} from "../../device/index.js";
import type { VhostUserFrontend } from "./frontend.js";
import type { Ring } from "./ring.js";

const { VHOST_F_LOG_ALL, VHOST_USER_F_PROTOCOL_FEATURES, VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_RING_PACKED } =
  VirtioFeature;

/** Those between front-end and back-end, and one that needs an IOMMU, of which there is none here. */
const NOT_THE_GUESTS = VHOST_F_LOG_ALL | VHOST_USER_F_PROTOCOL_FEATURES | VIRTIO_F_ACCESS_PLATFORM;

export interface BusOptions {
  readonly id: VirtioDeviceId;
  /** Sizes of the virtqueues, in descriptors. */
  readonly queueSizes: readonly number[];
  /** Features that the driver does not get to see. */
  readonly without?: bigint;
  /** The device-specific configuration as it is now: a network device's is its front-end's, others `getConfig` gives. */
  readonly config?: () => Uint8Array;
}

export class FrontendBus implements NetBus {
  readonly common: CommonConfig;
  private readonly frontend: VhostUserFrontend;
  private readonly device: VirtioDevice;
  private readonly config: () => Uint8Array;
  private readonly rings = new Map<number, Ring>();
  private gone: Error | undefined;
  private starting: Promise<void> = Promise.resolve();
  private wake: () => void = () => {};

  /** `memory`: what the back-end shares. */
  constructor(frontend: VhostUserFrontend, memory: GuestMemory, options: BusOptions) {
    this.frontend = frontend;
    const { id, queueSizes, without = 0n, config = () => new Uint8Array(0) } = options;
    this.config = config;
    const features = frontend.offered & ~NOT_THE_GUESTS & ~without;
    this.device = new VirtioDevice(
      elsewhere({ id, features, queueSizes, config }, () => this.begin()),
      memory,
      { queue: () => {}, config: () => {} },
      { without: ~features, packed: (features & VIRTIO_F_RING_PACKED) !== 0n, deferred: true },
    );
    this.common = new CommonConfig(this.device);
    frontend.gone.then((error) => {
      this.gone = error;
      this.wake();
    });
  }

  deviceConfig(): Uint8Array {
    return this.config();
  }

  /** The back-end has what the driver has set up. @throws RefusedError, DisconnectedError */
  async ready(): Promise<void> {
    await this.starting;
  }

  notify(queue: number): void {
    this.rings.get(queue)?.kick.signal();
  }

  /**
   * The next thing that `poll` finds in these queues, e.g. `next(blk.driver.queues, () => blk.poll())`.
   * @throws DisconnectedError when the back-end is gone, also for what it had given back before
   */
  async next<T>(
    queues: readonly Pick<DriverQueue, "wantNotifications">[],
    poll: () => T | undefined,
  ): Promise<T> {
    while (true) {
      const found = poll();
      if (found !== undefined) return found;
      if (this.gone !== undefined) throw this.gone;
      // A buffer that came back before the wish was known has called nobody.
      const alreadyThere = queues.map((queue) => queue.wantNotifications(true));
      if (!alreadyThere.includes(true)) await this.called();
    }
  }

  /** Stops the rings; gives where the back-end stands in each, by index. The driver may go on adding buffers. */
  async stop(): Promise<ReadonlyMap<number, QueuePosition>> {
    const positions = new Map<number, QueuePosition>();
    for (const [index, ring] of this.rings) positions.set(index, await this.frontend.stopRing(ring));
    this.rings.clear();
    return positions;
  }

  private begin(): void {
    this.makeRings();
    this.starting = this.start();
    // Whoever waits for `ready` hears of it.
    this.starting.catch(() => {});
  }

  private readonly called = (): Promise<void> =>
    new Promise((resolve) => {
      this.wake = resolve;
    });

  private async start(): Promise<void> {
    const { frontend, device } = this;
    await frontend.setFeatures(device.driverFeatures);
    for (const ring of this.rings.values()) await frontend.startRing(ring, QUEUE_START);
    if (frontend.hasProtocol(VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_STATUS)) {
      await frontend.setStatus(device.status);
    }
  }

  /** The rings that the driver has enabled, before anybody serves them. */
  private makeRings(): void {
    const packed = this.device.has(VIRTIO_F_RING_PACKED);
    for (const [index, queue] of this.device.queues.entries()) {
      if (!queue.enabled) continue;
      const place = {
        size: queue.size,
        descriptorArea: guestAddress(queue.descriptorArea),
        driverArea: guestAddress(queue.driverArea),
        deviceArea: guestAddress(queue.deviceArea),
      };
      const ring = this.frontend.makeRing(index, place, packed);
      ring.call.watch("readable", () => {
        ring.call.clear();
        this.wake();
      });
      this.rings.set(index, ring);
    }
  }
}

/** A device type whose requests are served elsewhere: the frame around it takes none. */
function elsewhere(
  what: Pick<DeviceType, "id" | "features" | "queueSizes" | "config">,
  start: () => void,
): DeviceType {
  return {
    ...what,
    start,
    writeConfig: () => {},
    serve: () => false,
    finish: () => {},
    resume: () => {},
    reset: () => {},
    restoreConfig: () => {},
  };
}
