/**
 * A device type behind vhost-user: its virtqueues, in memory that the front-end shares. What PCI registers decide for a
 * VirtioDevice, requests decide here: each virtqueue starts and stops by itself, and the driver's status is only told.
 */
import { VirtioFeature } from "../../../generated/virtio/features.js";
import {
  type DescriptorChain,
  type DevicePort,
  type DeviceQueue,
  type DeviceState,
  type DeviceType,
  GuestMemory,
} from "../../device/index.js";
import { NO_VECTOR } from "../../device/member/device-state.js";
import { verifyState } from "../../device/member/verify-state.js";
import type { DirtyLog } from "../../streams/index.js";
import type { System } from "../system/index.js";
import type { BackendEvent } from "./events.js";
import type { InflightRegion } from "./inflight/region.js";
import { MemoryTable } from "./memory-table.js";
import { type RingSurroundings, Vring } from "./vring.js";

const {
  VIRTIO_F_VERSION_1,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_RING_PACKED,
  VHOST_F_LOG_ALL,
  VHOST_USER_F_PROTOCOL_FEATURES,
} = VirtioFeature;

/**
 * VIRTIO_F_IN_ORDER is left out: the inflight region tells of single buffers, and buffers that wait for those before them
 * are used several at once.
 */
const OFFERED =
  VIRTIO_F_VERSION_1 |
  VIRTIO_F_INDIRECT_DESC |
  VIRTIO_F_EVENT_IDX |
  VIRTIO_F_RING_PACKED |
  VHOST_F_LOG_ALL |
  VHOST_USER_F_PROTOCOL_FEATURES;

/** What the driver never sees. */
const BETWEEN_THE_ENDS = VHOST_F_LOG_ALL | VHOST_USER_F_PROTOCOL_FEATURES;

/** Pieces of work on one virtqueue before others have their turn, and the socket. */
const BUDGET = 256;

const MAX_QUEUE_SIZE = 32768;

export interface VhostUserDeviceOptions {
  /** Features that are not offered although the device could. */
  readonly without?: bigint | undefined;
  readonly onEvent?: ((event: BackendEvent) => void) | undefined;
  /** The device-specific configuration has changed: the front-end has to be told. */
  readonly onConfigChange?: (() => void) | undefined;
}

export class VhostUserDevice implements DevicePort {
  readonly type: DeviceType;
  readonly features: bigint;
  readonly table: MemoryTable;
  readonly vrings: readonly Vring[];
  /** Without VHOST_USER_F_PROTOCOL_FEATURES virtqueues are enabled from the start. */
  acknowledged = 0n;
  private readonly onEvent: (event: BackendEvent) => void;
  private readonly onConfigChange: () => void;
  private memory = new GuestMemory([]);
  private currentStatus = 0;
  private log: DirtyLog | undefined;
  private paused = 0;
  private running = false;
  /** Virtqueues whose buffers are waited for, asked for while another one is served. */
  private readonly wanted = new Set<number>();
  private closed = false;
  /** A state that has come from elsewhere, as long as no virtqueue runs. */
  private arrived: DeviceState | undefined;

  constructor(type: DeviceType, system: System, options: VhostUserDeviceOptions = {}) {
    this.type = type;
    this.features = (type.features | OFFERED) & ~(options.without ?? 0n);
    this.onEvent = options.onEvent ?? (() => {});
    this.onConfigChange = options.onConfigChange ?? (() => {});
    this.table = new MemoryTable(system);
    this.vrings = type.queueSizes.map((size, index) => new Vring(index, size));
  }

  /** As the driver has set it last. A reset by status stops the device, and does not forget it: see `status`. */
  get status(): number {
    return this.currentStatus;
  }

  /**
   * QEMU resets by status whenever the guest is stopped, and asks for the state to migrate after that. So zero forgets
   * nothing: what is set up anew is set up by requests of its own, and RESET_DEVICE is what forgets.
   */
  set status(status: number) {
    if (status !== 0) this.arrived = undefined;
    this.currentStatus = status;
  }

  // What the device type does.

  get isActive(): boolean {
    return this.paused === 0;
  }

  has(feature: bigint): boolean {
    return (this.acknowledged & feature) !== 0n;
  }

  isEnabled(queue: number): boolean {
    return this.vrings[queue]?.enabled === true;
  }

  take(queue: number): DescriptorChain | undefined {
    const vring = this.vrings[queue];
    if (this.paused > 0 || vring === undefined || !vring.enabled) return undefined;
    // Not through `guarded`: this is done for each frame, and a closure shows.
    try {
      return vring.take();
    } catch (error) {
      this.break(vring, error);
      return undefined;
    }
  }

  give(queue: number, chain: DescriptorChain, more = false): void {
    const vring = this.vrings[queue];
    if (vring === undefined) return;
    try {
      vring.give(chain, more);
    } catch (error) {
      this.break(vring, error);
    }
  }

  tellUsed(): void {
    // What is served is told of when that is over.
    if (!this.running) this.notifyUsed();
  }

  wantBuffers(queue: number): void {
    if (this.running) this.wanted.add(queue);
    else this.runIfAvailable(queue);
  }

  wake(queue: number): void {
    this.tellUsed();
    this.run(queue);
  }

  configChanged(): void {
    this.onConfigChange();
  }

  // What the front-end does.

  /** @throws RangeError when they are not all offered. */
  setFeatures(features: bigint): void {
    const foreign = features & ~this.features;
    if (foreign !== 0n) throw new RangeError(`features 0x${foreign.toString(16)} are not offered`);
    const wasLogging = this.isLogging;
    this.acknowledged = features;
    this.tellLogging(wasLogging);
    if (!this.has(VHOST_USER_F_PROTOCOL_FEATURES)) for (const vring of this.vrings) vring.enabled = true;
  }

  /**
   * Does something with virtqueues, memory or log while nothing is going on: all buffers are given back before, and the
   * rings that run are opened again afterwards.
   */
  async undisturbed(act: () => void): Promise<undefined> {
    this.paused++;
    try {
      this.type.finish();
      await this.type.settled?.();
      this.notifyUsed();
      if (this.closed) return undefined;
      for (const vring of this.vrings) vring.settle();
      try {
        act();
      } finally {
        // Also when it was refused: then all is as it was.
        this.memory = this.table.guestMemory();
        for (const vring of this.vrings) this.open(vring);
        this.table.sweep();
      }
    } finally {
      this.paused--;
    }
    for (const vring of this.vrings) this.run(vring.index);
    return undefined;
  }

  /** A ring that has what it needs runs from now on. */
  start(vring: Vring): void {
    this.open(vring);
    this.run(vring.index);
  }

  /** Where writes to guest memory are logged from the next `undisturbed` on. */
  setLog(log: DirtyLog): void {
    const wasLogging = this.isLogging;
    this.log = log;
    this.tellLogging(wasLogging);
  }

  setInflight(region: InflightRegion): void {
    for (const vring of this.vrings) vring.inflight = region.queue(vring.index);
  }

  /** The driver has made buffers available. */
  kicked(vring: Vring): void {
    try {
      // At the end of what is no eventfd it would be readable for ever.
      if (vring.kick?.clear() === undefined) vring.kick?.unwatch("readable");
    } catch (error) {
      vring.kick?.unwatch("readable");
      this.break(vring, error);
    }
    this.run(vring.index);
  }

  /** Forgets what the driver has set up. */
  reset(): void {
    this.currentStatus = 0;
    this.arrived = undefined;
    for (const vring of this.vrings) vring.inherited = [];
    this.type.reset();
  }

  save(): DeviceState {
    return this.arrived ?? this.current();
  }

  /** @throws RangeError when the device cannot be what the state says; then it stays as it was. */
  restore(state: DeviceState): void {
    verifyState(state, {
      type: this.type,
      features: this.features,
      maxSizes: this.vrings.map(() => MAX_QUEUE_SIZE),
    });
    this.type.restoreConfig(state.config);
    if (state.internal !== undefined) this.type.internal?.restore(state.internal);
    this.type.net?.restore(state.net);
    state.queues.forEach(({ owned }, index) => {
      const vring = this.vrings[index];
      if (vring !== undefined) vring.inherited = owned.map(({ id }) => id);
    });
    this.arrived = state;
  }

  /** The connection is gone. What is still going on gives its buffers back to nobody. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.paused++;
    this.type.finish();
    for (const vring of this.vrings) vring.close();
    await this.type.settled?.();
    this.type.reset();
  }

  private get isLogging(): boolean {
    return this.log !== undefined && this.has(VHOST_F_LOG_ALL);
  }

  private tellLogging(before: boolean): void {
    if (before !== this.isLogging) this.onEvent({ kind: "logging", on: this.isLogging });
  }

  private current(): DeviceState {
    return {
      deviceType: this.type.id,
      deviceFeatures: this.features & ~BETWEEN_THE_ENDS,
      driverFeatures: this.acknowledged & ~BETWEEN_THE_ENDS,
      status: this.currentStatus,
      deviceFeatureSelect: 0,
      driverFeatureSelect: 0,
      queueSelect: 0,
      configMsixVector: NO_VECTOR,
      configGeneration: 0,
      queues: this.vrings.map((vring) => vring.save()),
      config: this.type.config(),
      ...(this.type.internal === undefined ? {} : { internal: this.type.internal.save() }),
      ...(this.type.net === undefined ? {} : { net: this.type.net.save() }),
    };
  }

  private open(vring: Vring): void {
    if (!vring.started || vring.isBroken || vring.addresses === undefined || vring.ring !== undefined) return;
    const surroundings: RingSurroundings = {
      table: this.table,
      memory: this.memory,
      packed: this.has(VIRTIO_F_RING_PACKED),
      eventIdx: this.has(VIRTIO_F_EVENT_IDX),
      indirect: this.has(VIRTIO_F_INDIRECT_DESC),
      log: this.isLogging ? this.log : undefined,
      onMissed: (address) => this.onEvent({ kind: "unlogged", address }),
    };
    const left = this.guarded(vring, () => vring.open(surroundings));
    if (left === undefined || vring.ring === undefined) return;
    this.arrived = undefined;
    // The first of them: what was negotiated may have changed since there was one.
    if (!this.vrings.some((one) => one !== vring && one.ring !== undefined)) this.type.start(this);
    if (left.length > 0) this.onEvent({ kind: "resumed", queue: vring.index, buffers: left.length });
    for (const chain of left) this.type.resume(vring.index, chain);
    if (!vring.isKnown) this.onEvent({ kind: "started", queue: vring.index });
    vring.isKnown = true;
  }

  /** Serves a virtqueue until there is nothing to do, or until it is the others' turn. */
  private run(queue: number): void {
    const vring = this.vrings[queue];
    if (this.running || this.paused > 0 || vring?.ring === undefined || !vring.enabled) return;
    this.running = true;
    let isLeft = false;
    try {
      isLeft = this.serve(vring.ring, queue);
    } catch (error) {
      this.break(vring, error);
    } finally {
      this.running = false;
    }
    this.notifyUsed();
    if (isLeft) setImmediate(() => this.run(queue));
    for (const other of [...this.wanted]) {
      this.wanted.delete(other);
      this.runIfAvailable(other);
    }
  }

  /** Gives whether there is more to do. */
  private serve(ring: DeviceQueue, queue: number): boolean {
    ring.wantNotifications(false);
    for (let done = 0; done < BUDGET; done++) {
      if (this.type.serve(queue)) continue;
      // A driver that made buffers available in between has not kicked.
      if (!ring.wantNotifications(true)) return false;
      if (this.type.serve(queue)) continue;
      // They are no use now: when they are, `wake` or `wantBuffers` tells.
      ring.wantNotifications(false);
      return false;
    }
    return true;
  }

  /** Asks for a kick, and serves what is there already. */
  private runIfAvailable(queue: number): void {
    const vring = this.vrings[queue];
    if (vring?.ring === undefined || this.paused > 0) return;
    if (this.guarded(vring, () => vring.ring?.wantNotifications(true)) === true) this.run(queue);
  }

  private notifyUsed(): void {
    for (const vring of this.vrings) {
      this.guarded(vring, () => {
        if (vring.ring?.needsNotification()) vring.call?.signal();
      });
    }
  }

  /** What a driver or a front-end has broken stops one virtqueue, never the process. */
  private guarded<T>(vring: Vring, act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      this.break(vring, error);
      return undefined;
    }
  }

  private break(vring: Vring, error: unknown): void {
    vring.settle();
    vring.isBroken = true;
    this.onEvent({
      kind: "broken",
      queue: vring.index,
      error: error instanceof Error ? error : new Error(String(error)),
    });
    try {
      vring.error?.signal();
    } catch {
      // The front-end has broken that as well.
    }
  }
}
