/**
 * A virtio device as its driver sees it: status and features, virtqueues, configuration, notifications both ways; and
 * as the owner of its group sees it: a mode that stops it, and a state that can be saved and restored. What it does
 * with its buffers is for its type.
 */
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { VirtioDeviceStatus } from "../../../generated/virtio/ids.js";
import { GuestMemory } from "../memory/guest-memory.js";
import type { DescriptorChain } from "../rings/chain.js";
import { RingFault } from "../rings/fault.js";
import { type DeviceState, NO_VECTOR, type QueueState } from "./device-state.js";
import type { DevicePort, DeviceType } from "./device-type.js";
import { InterruptStatus, type Interrupts } from "./interrupt-status.js";
import type { MigrationMode, Transition } from "./migration-mode.js";
import { QueueRegisters, RING_FEATURES, ringOptionsOf } from "./queue.js";
import { verifyState } from "./verify-state.js";

const {
  VIRTIO_CONFIG_S_DRIVER_OK,
  VIRTIO_CONFIG_S_FEATURES_OK,
  VIRTIO_CONFIG_S_NEEDS_RESET,
  VIRTIO_CONFIG_S_FAILED,
} = VirtioDeviceStatus;
const { VIRTIO_F_VERSION_1, VIRTIO_F_RING_PACKED } = VirtioFeature;

export interface DeviceOptions {
  /** Offer packed virtqueues as well. */
  readonly packed?: boolean;
  /** Features that are not offered although the device could. */
  readonly without?: bigint;
  /** Work is done when `run` is called, not at once when the driver notifies. */
  readonly deferred?: boolean;
  /** Is told of what a driver has broken. The device needs a reset then. */
  readonly onFault?: (fault: RingFault, queue: number) => void;
}

/**
 * Pieces of work of a run without a budget. What a device writes can make buffers available in its own rings, if a driver
 * has put one on top of the other: without a limit it would be at work for ever.
 */
const LONG_RUN = 1 << 16;

export class VirtioDevice implements DevicePort {
  readonly type: DeviceType;
  readonly memory: GuestMemory;
  readonly features: bigint;
  readonly queues: readonly QueueRegisters[];
  /** Changes whenever something changes that a state would show. */
  revision = 0;
  /** How often the device was reset. */
  resets = 0;
  driverFeatures = 0n;
  deviceFeatureSelect = 0;
  driverFeatureSelect = 0;
  queueSelect = 0;
  configMsixVector = NO_VECTOR;
  transition: Transition | undefined;
  private readonly interrupts: InterruptStatus;
  private readonly onFault: DeviceOptions["onFault"];
  private readonly deferred: boolean;
  private currentMode: MigrationMode = "active";
  private currentStatus = 0;
  private generation = 0;
  /** The device-specific configuration has changed, and the driver has not been told. */
  private configPending = false;
  /** Queues of a state that was restored, whose rings are opened when the device may look at memory again. */
  private restored: readonly QueueState[] | undefined;
  private running = false;
  /** No buffers are taken: an owner waits for what is under way. */
  private resting = false;
  /** Virtqueues on which a device type waits for buffers. */
  private readonly wanted = new Set<number>();

  constructor(type: DeviceType, memory: GuestMemory, interrupts: Interrupts, options: DeviceOptions = {}) {
    this.type = type;
    // The same bytes with observers of its own: what it writes is told apart from what others write there.
    this.memory = new GuestMemory(memory.regions);
    this.interrupts = new InterruptStatus(interrupts);
    this.onFault = options.onFault;
    this.deferred = options.deferred ?? false;
    const offered =
      type.features | VIRTIO_F_VERSION_1 | RING_FEATURES | (options.packed ? VIRTIO_F_RING_PACKED : 0n);
    this.features = offered & ~(options.without ?? 0n);
    this.queues = type.queueSizes.map((size) => new QueueRegisters(size));
  }

  get status(): number {
    return this.currentStatus;
  }

  get configGeneration(): number {
    return this.generation;
  }

  get mode(): MigrationMode {
    return this.currentMode;
  }

  /** The driver is ready, and nothing has broken since. */
  get isLive(): boolean {
    return (
      (this.currentStatus & VIRTIO_CONFIG_S_DRIVER_OK) !== 0 &&
      (this.currentStatus & (VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED)) === 0
    );
  }

  get isActive(): boolean {
    return this.currentMode === "active" && this.isLive;
  }

  has(feature: bigint): boolean {
    return (this.driverFeatures & feature) !== 0n;
  }

  // What the driver does.

  /** Zero resets the device; other bits are only ever set. */
  writeStatus(status: number): void {
    if (this.currentMode === "freeze") return;
    if (status === 0) {
      this.reset();
      return;
    }
    this.revision++;
    let accepted = this.currentStatus | (status & ~VIRTIO_CONFIG_S_NEEDS_RESET);
    const newly = accepted & ~this.currentStatus;
    if ((newly & VIRTIO_CONFIG_S_FEATURES_OK) !== 0 && !this.acceptsFeatures()) {
      accepted &= ~VIRTIO_CONFIG_S_FEATURES_OK;
    }
    // A driver that goes on without FEATURES_OK has no device to talk to.
    if ((accepted & VIRTIO_CONFIG_S_FEATURES_OK) === 0) accepted &= ~VIRTIO_CONFIG_S_DRIVER_OK;
    this.currentStatus = accepted;
    if ((newly & accepted & VIRTIO_CONFIG_S_DRIVER_OK) !== 0) this.open();
  }

  /** 32 bits of the driver's features, where `driverFeatureSelect` says. */
  writeDriverFeatures(window: number): void {
    if ((this.currentStatus & VIRTIO_CONFIG_S_FEATURES_OK) !== 0 || this.driverFeatureSelect > 1) return;
    this.revision++;
    const shift = BigInt(this.driverFeatureSelect) * 32n;
    const kept = this.driverFeatures & ~(0xffff_ffffn << shift);
    this.driverFeatures = kept | (BigInt(window) << shift);
  }

  /** A legacy driver's status: it knows no FEATURES_OK. */
  writeLegacyStatus(status: number): void {
    if (this.currentMode === "freeze") return;
    if (status === 0) {
      this.reset();
      return;
    }
    this.revision++;
    const newly = status & ~this.currentStatus;
    this.currentStatus |= status & ~(VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FEATURES_OK);
    if ((newly & VIRTIO_CONFIG_S_DRIVER_OK) !== 0) this.open();
  }

  /** A legacy driver's features: bits 0 to 31, of which those count that are offered. */
  writeLegacyFeatures(features: number): void {
    if (this.currentMode === "freeze" || (this.currentStatus & VIRTIO_CONFIG_S_DRIVER_OK) !== 0) return;
    this.revision++;
    this.driverFeatures = BigInt(features) & this.features;
  }

  /** Why the device has interrupted, for drivers without MSI-X. Reading clears it. */
  takeIsr(): number {
    return this.interrupts.take();
  }

  /** The driver has made buffers available. In Freeze mode nothing is accepted; after it all queues are looked at. */
  notify(queue: number): void {
    if (this.currentMode !== "active" || this.deferred || this.queues[queue] === undefined) return;
    this.run(queue);
  }

  writeConfig(offset: number, bytes: Uint8Array): void {
    if (this.currentMode === "freeze") return;
    this.revision++;
    this.type.writeConfig(offset, bytes);
  }

  /** What a driver's reset and a function-level reset leave of the device: its features and its mode. */
  reset(): void {
    this.revision++;
    this.resets++;
    this.currentStatus = 0;
    this.driverFeatures = 0n;
    this.deviceFeatureSelect = 0;
    this.driverFeatureSelect = 0;
    this.queueSelect = 0;
    this.configMsixVector = NO_VECTOR;
    this.configPending = false;
    this.interrupts.reset();
    this.restored = undefined;
    for (const queue of this.queues) queue.reset();
    this.type.reset();
  }

  // What the device type does.

  isEnabled(queue: number): boolean {
    return this.queues[queue]?.enabled === true;
  }

  take(queue: number): DescriptorChain | undefined {
    const ring = this.ringOf(queue);
    if (ring === undefined || this.resting) return undefined;
    try {
      const chain = ring.take();
      if (chain !== undefined) this.revision++;
      return chain;
    } catch (error) {
      this.broken(error, queue);
      return undefined;
    }
  }

  give(queue: number, chain: DescriptorChain, more = false): void {
    const ring = this.ringOf(queue);
    if (ring === undefined) return;
    try {
      ring.give(chain, more);
      this.revision++;
    } catch (error) {
      this.broken(error, queue);
    }
  }

  tellUsed(): void {
    // What is served is told of when that is over.
    if (this.running || this.currentMode !== "active") return;
    this.notifyUsed();
  }

  wantBuffers(queue: number): void {
    if (this.running) this.wanted.add(queue);
    // A driver that made some available in between has not notified.
    else if (this.askForNotifications([queue]).length > 0 && !this.deferred) this.run(queue);
  }

  wake(queue: number): void {
    this.tellUsed();
    this.notify(queue);
  }

  configChanged(): void {
    this.revision++;
    this.generation = (this.generation + 1) & 0xff;
    this.configPending = true;
    this.tellConfig();
  }

  /**
   * Does what there is to do, at most `budget` pieces of work, on one queue or on all. Gives how many it did. The driver
   * is notified afterwards. As many as the budget: there may be more.
   */
  run(only?: number, budget: number = LONG_RUN): number {
    // A device type that gives buffers back while it serves must not start another round of its own.
    if (this.running || this.resting || !this.isActive) return 0;
    this.running = true;
    let done = 0;
    try {
      let chosen: readonly number[] = only === undefined ? this.queues.map((_, index) => index) : [only];
      // As long as there is something to do where buffers were made available in between.
      for (let before = -1; chosen.length > 0 && done > before; ) {
        before = done;
        for (const queue of chosen) {
          while (done < budget && this.isLive && this.type.serve(queue)) done++;
        }
        this.notifyUsed();
        chosen = this.askForNotifications([...chosen, ...this.wanted]);
        this.wanted.clear();
      }
    } finally {
      this.running = false;
    }
    return done;
  }

  // What the owner of the group does.

  /** Gives back every buffer that it has, and tells the driver: for an owner that wants nothing in flight. */
  finish(): void {
    if (this.currentMode !== "active" || !this.isLive) return;
    this.type.finish();
    this.notifyUsed();
  }

  /**
   * Takes no buffers, and begins nothing that it has taken, until `proceed` or a change of the mode. True when nothing is
   * under way any more.
   */
  rest(): boolean {
    this.resting = true;
    return !this.isActive || this.type.busy !== true;
  }

  proceed(): void {
    if (!this.resting) return;
    this.resting = false;
    if (!this.deferred) this.run();
  }

  /** Nothing may be under way (see `rest`): what is, would be lost. */
  setMode(mode: MigrationMode): void {
    this.resting = false;
    if (mode === this.currentMode) return;
    this.currentMode = mode;
    if (mode !== "active") return;
    this.openRestored();
    this.tellConfig();
    // Notifications that were not heard in Freeze, and buffers made available in Stop.
    if (!this.deferred) this.run();
  }

  save(): DeviceState {
    return {
      deviceType: this.type.id,
      deviceFeatures: this.features,
      driverFeatures: this.driverFeatures,
      status: this.currentStatus,
      deviceFeatureSelect: this.deviceFeatureSelect,
      driverFeatureSelect: this.driverFeatureSelect,
      queueSelect: this.queueSelect,
      configMsixVector: this.configMsixVector,
      configGeneration: this.generation,
      // Rings that are not open yet stand where they stood.
      queues: this.queues.map((queue, index) => this.restored?.[index] ?? queue.save()),
      config: this.type.config(),
      ...(this.type.internal === undefined ? {} : { internal: this.type.internal.save() }),
      ...(this.type.net === undefined ? {} : { net: this.type.net.save() }),
    };
  }

  /**
   * Takes over a state. Rings are looked at when the device becomes active, when guest memory is there.
   * @throws RangeError when the device cannot be what the state says; then it stays as it was.
   */
  restore(state: DeviceState): void {
    this.verify(state);
    this.reset();
    this.driverFeatures = state.driverFeatures;
    this.currentStatus = state.status;
    this.deviceFeatureSelect = state.deviceFeatureSelect;
    this.driverFeatureSelect = state.driverFeatureSelect;
    this.queueSelect = state.queueSelect;
    this.configMsixVector = state.configMsixVector;
    this.generation = state.configGeneration;
    state.queues.forEach((queue, index) => {
      this.queues[index]?.restore(queue);
    });
    this.type.restoreConfig(state.config);
    if (state.internal !== undefined) this.type.internal?.restore(state.internal);
    this.type.net?.restore(state.net);
    this.restored = state.queues;
    if (this.currentMode === "active") this.openRestored();
  }

  /** @throws RangeError when the device cannot be what the state says. */
  verify(state: DeviceState): void {
    const maxSizes = this.queues.map(({ maxSize }) => maxSize);
    verifyState(state, { type: this.type, features: this.features, maxSizes });
  }

  private acceptsFeatures(): boolean {
    return (this.driverFeatures & ~this.features) === 0n && this.has(VIRTIO_F_VERSION_1);
  }

  private open(): void {
    this.queues.forEach((queue, index) => {
      if (queue.enabled)
        this.guarded(index, () => queue.open(this.memory, ringOptionsOf(this.driverFeatures)));
    });
    if (!this.isLive) return;
    this.type.start(this);
    this.askForNotifications(this.queues.map((_, index) => index));
  }

  private openRestored(): void {
    const states = this.restored;
    if (states === undefined || (this.currentStatus & VIRTIO_CONFIG_S_DRIVER_OK) === 0) return;
    this.restored = undefined;
    this.type.start(this);
    states.forEach((state, index) => {
      const queue = this.queues[index];
      if (queue === undefined || !state.enabled) return;
      this.guarded(index, () => {
        const ring = queue.open(
          this.memory,
          ringOptionsOf(this.driverFeatures),
          state.standing ?? UNKNOWN_STANDING,
        );
        for (const { id } of state.owned) this.type.resume(index, ring.reopen(id));
      });
    });
  }

  private ringOf(queue: number): QueueRegisters["ring"] {
    return this.isActive ? this.queues[queue]?.ring : undefined;
  }

  private guarded<T>(queue: number, act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      this.broken(error, queue);
      return undefined;
    }
  }

  /** A ring that the driver has broken stops the device, never its caller. */
  private broken(error: unknown, queue: number): void {
    if (!(error instanceof RingFault)) throw error;
    this.revision++;
    this.currentStatus |= VIRTIO_CONFIG_S_NEEDS_RESET;
    this.onFault?.(error, queue);
    this.configPending = true;
    this.tellConfig();
  }

  private notifyUsed(): void {
    this.queues.forEach(({ ring, msixVector }, index) => {
      if (!ring?.needsNotification()) return;
      this.interrupts.queue(index, msixVector);
    });
  }

  /** Gives those of the queues on which buffers are available already. */
  private askForNotifications(queues: readonly number[]): readonly number[] {
    return queues.filter((index) => {
      const ring = this.ringOf(index);
      return ring !== undefined && this.guarded(index, () => ring.wantNotifications(true)) === true;
    });
  }

  private tellConfig(): void {
    const isReady = (this.currentStatus & VIRTIO_CONFIG_S_DRIVER_OK) !== 0;
    if (!this.configPending || this.currentMode !== "active" || !isReady) return;
    this.configPending = false;
    this.interrupts.config(this.configMsixVector);
  }
}

/** Of a queue whose format says nothing about it: all that the device had taken is used. */
const UNKNOWN_STANDING = { available: undefined, used: undefined, availableWrap: true, usedWrap: true };
