/**
 * A vhost-user front-end: the side that has a guest. It connects to any back-end, agrees with it on what both can, shares
 * memory, runs virtqueues, and carries the back-end's state over to another one.
 */
import {
  VHOST_MEMORY_BASELINE_NREGIONS,
  type VhostUserInflight,
  VhostUserProtocolFeature,
} from "../../../generated/vhost-user/messages.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import type { QueuePlace, QueuePosition } from "../../device/index.js";
import { DirtyLog, dirtyLogSize } from "../../streams/index.js";
import { PROTOCOL_FEATURES } from "../protocol-features.js";
import { type Descriptor, type Mapping, openSystem, type System } from "../system/index.js";
import { BackendChannel } from "./backend-channel.js";
import { Connection, type DisconnectedError } from "./connection.js";
import { loadState, saveState } from "./device-state.js";
import { Requests } from "./requester.js";
import { Ring } from "./ring.js";
import { type MemoryRange, SharedMemory } from "./shared-memory.js";

const {
  VHOST_USER_PROTOCOL_F_MQ,
  VHOST_USER_PROTOCOL_F_LOG_SHMFD,
  VHOST_USER_PROTOCOL_F_BACKEND_REQ,
  VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
} = VhostUserProtocolFeature;
const { VHOST_F_LOG_ALL, VHOST_USER_F_PROTOCOL_FEATURES } = VirtioFeature;

/** QEMU makes its logs a multiple of this; a back-end may insist. @unit bytes */
const LOG_UNIT = 8;
const MAX_STATE = 64 << 20;

export interface FrontendOptions {
  /** Protocol features that are not agreed on although both sides could. */
  readonly without?: bigint;
  /** The back-end says that the device's configuration has changed. */
  readonly onConfigChanged?: () => void;
}

/** Memory that a back-end keeps its requests in flight in. `descriptor` is the holder's to close. */
export interface InflightMemory {
  readonly description: VhostUserInflight;
  readonly descriptor: Descriptor;
}

export class VhostUserFrontend {
  /** Owns all descriptors and mappings. */
  readonly system: System;
  /** Virtio features that the back-end offers, with those of vhost itself. */
  readonly offered: bigint;
  /** What was agreed on. */
  readonly protocolFeatures: bigint;
  /** How many queues (of a network device: pairs of them) the back-end has; undefined when it does not say. */
  readonly queueCount: number | undefined;
  /** How many regions of memory it takes. */
  readonly memorySlots: number;
  /** Rings that run. */
  readonly rings = new Map<number, Ring>();
  private readonly connection: Connection;
  private readonly requests: Requests;
  private readonly channel: BackendChannel | undefined;
  private memory: SharedMemory | undefined;
  private features = 0n;
  private log: { readonly log: DirtyLog; readonly mapping: Mapping } | undefined;

  private constructor(system: System, connection: Connection, begun: Begun) {
    this.system = system;
    this.connection = connection;
    this.requests = new Requests(connection);
    this.offered = begun.offered;
    this.protocolFeatures = begun.protocolFeatures;
    this.queueCount = begun.queueCount;
    this.memorySlots = begun.memorySlots;
    this.channel = begun.channel;
  }

  /**
   * Connects to the socket that a back-end listens on, and agrees on protocol features.
   * @throws SystemCallError (ENOENT, ECONNREFUSED), NoSystemCallsError, DisconnectedError
   */
  static async connect(path: string, options: FrontendOptions = {}): Promise<VhostUserFrontend> {
    const system = await openSystem();
    try {
      const connection = new Connection(system.connect(path));
      return new VhostUserFrontend(system, connection, await begin(system, connection, options));
    } catch (error) {
      system.close();
      throw error;
    }
  }

  hasProtocol(feature: bigint): boolean {
    return this.requests.hasProtocol(feature);
  }

  /** Resolves when the connection is gone, whoever has ended it. */
  get gone(): Promise<DisconnectedError> {
    return this.connection.gone;
  }

  /** Features of virtio and of the device type that the driver has chosen. */
  async setFeatures(features: bigint): Promise<void> {
    // It says that vrings are enabled one by one.
    this.features = features | (this.offered & VHOST_USER_F_PROTOCOL_FEATURES);
    await this.tellFeatures();
  }

  /**
   * Gives the back-end memory, and takes that away that it had. Addresses are guest-physical.
   * @throws RangeError when it takes more regions than can be told; RefusedError
   */
  async shareMemory(ranges: readonly MemoryRange[]): Promise<SharedMemory> {
    if (ranges.length > this.memorySlots) {
      throw new RangeError(`${ranges.length} regions, the back-end takes ${this.memorySlots}`);
    }
    await this.takeMemory();
    const memory = new SharedMemory(this.system, ranges);
    this.memory = memory;
    if (this.hasProtocol(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
      for (const region of memory.regions) {
        await this.requests.tell({ case: "vhostUserAddMemReg", value: { region } }, [memory.descriptor]);
      }
      return memory;
    }
    await this.requests.tell(
      { case: "vhostUserSetMemTable", value: { regions: [...memory.regions] } },
      memory.regions.map(() => memory.descriptor),
    );
    return memory;
  }

  /** A virtqueue with its eventfds, which nobody serves yet. A kick is not lost: it waits for `startRing`. */
  makeRing(index: number, place: QueuePlace, packed: boolean): Ring {
    return new Ring(this.system, this.requests, index, place, packed);
  }

  /** Hands a virtqueue over to the back-end, which serves it from where `position` says; a new one from START. */
  async startRing(ring: Ring, position: QueuePosition): Promise<void> {
    await ring.start(position, this.log !== undefined);
    this.rings.set(ring.index, ring);
    if ((this.offered & VHOST_USER_F_PROTOCOL_FEATURES) !== 0n) await ring.enable(true);
  }

  /** Stops a ring. The back-end has given all its buffers back, or it notes them in the inflight region. */
  async stopRing(ring: Ring): Promise<QueuePosition> {
    const position = await ring.stop();
    this.rings.delete(ring.index);
    ring.close();
    return position;
  }

  /** `length` bytes of the device's configuration. @throws RangeError when the back-end cannot read it */
  async getConfig(offset: number, length: number): Promise<Uint8Array> {
    const { config } = await this.requests.ask({
      case: "vhostUserGetConfig",
      value: { offset, flags: 0, region: new Uint8Array(length) },
    });
    if (config === undefined || config.region.length !== length) {
      throw new RangeError(`the back-end has not ${length} bytes of configuration at ${offset}`);
    }
    return config.region;
  }

  async setConfig(offset: number, region: Uint8Array): Promise<void> {
    await this.requests.tell({ case: "vhostUserSetConfig", value: { offset, flags: 0, region } });
  }

  async getStatus(): Promise<number> {
    const { status } = await this.requests.ask({ case: "vhostUserGetStatus", value: undefined });
    return Number(status);
  }

  async setStatus(status: number): Promise<void> {
    await this.requests.tell({ case: "vhostUserSetStatus", value: { status: BigInt(status) } });
  }

  async resetDevice(): Promise<void> {
    await this.requests.tell({ case: "vhostUserResetDevice", value: undefined });
  }

  /** Has the guest announced on the network. */
  async sendRarp(mac: Uint8Array): Promise<void> {
    await this.requests.tell({ case: "vhostUserSendRarp", value: { mac } });
  }

  /**
   * From now on the back-end marks the pages that it writes.
   * @throws Error when no memory is shared, or the back-end has no LOG_SHMFD
   */
  async startLog(): Promise<DirtyLog> {
    const { memory } = this;
    if (memory === undefined) throw new Error("no memory is shared with the back-end");
    if (!this.hasProtocol(VHOST_USER_PROTOCOL_F_LOG_SHMFD)) throw new Error("the back-end cannot log");
    const length = Math.ceil(Number(dirtyLogSize(memory.regions)) / LOG_UNIT) * LOG_UNIT;
    const descriptor = this.system.memfd("dirty-log", length);
    const mapping = this.system.map(descriptor, 0, length);
    const base = { case: "log", value: { mmapSize: BigInt(length), mmapOffset: 0n } } as const;
    await this.requests
      .ask({ case: "vhostUserSetLogBase", value: { base } }, [descriptor])
      .finally(() => descriptor.close());
    this.log = { log: new DirtyLog(mapping.bytes), mapping };
    await this.tellLogging();
    return this.log.log;
  }

  /** The log that `startLog` gave must not be touched any more. */
  async stopLog(): Promise<void> {
    const { log } = this;
    if (log === undefined) return;
    this.log = undefined;
    await this.tellLogging();
    log.mapping.close();
  }

  /** Memory for requests in flight, which the back-end makes. Undefined when it needs none. */
  async getInflight(queueCount: number, queueSize: number): Promise<InflightMemory | undefined> {
    const asked = { mmapSize: 0n, mmapOffset: 0n, numQueues: queueCount, queueSize };
    const [description, came] = await this.requests.askForDescriptors({
      case: "vhostUserGetInflightFd",
      value: { ...asked, tail: { case: "padding", value: new Uint8Array(4) } },
    });
    const [descriptor, ...others] = came;
    for (const other of others) other.close();
    return descriptor === undefined ? undefined : { description, descriptor };
  }

  /** Gives a back-end the memory of one that is gone: it finishes what that had begun. Before the rings start. */
  async setInflight({ description, descriptor }: InflightMemory): Promise<void> {
    await this.requests.tell({ case: "vhostUserSetInflightFd", value: description }, [descriptor]);
  }

  /** What the back-end has to carry over, of at most 64 MiB. All rings are stopped. @throws RefusedError, RangeError */
  async saveState(): Promise<Uint8Array> {
    return await saveState(this.system, this.requests, MAX_STATE);
  }

  /** Gives it to the back-end at the destination, before its rings start. @throws RefusedError */
  async loadState(state: Uint8Array): Promise<void> {
    await loadState(this.system, this.requests, state);
  }

  /** Ends the connection, and takes all memory away: drivers must be gone. May be called again. */
  close(): void {
    this.connection.close();
    this.channel?.close();
    this.system.close();
  }

  private async takeMemory(): Promise<void> {
    const { memory } = this;
    if (memory === undefined) return;
    this.memory = undefined;
    // A new table takes the old one's place by itself.
    if (this.hasProtocol(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
      for (const region of memory.regions) {
        await this.requests.tell({ case: "vhostUserRemMemReg", value: { region } });
      }
    }
    memory.close();
  }

  private async tellFeatures(): Promise<void> {
    const features = this.features | (this.log === undefined ? 0n : VHOST_F_LOG_ALL);
    this.connection.agreed = { features, protocolFeatures: this.protocolFeatures };
    await this.requests.tell({ case: "vhostUserSetFeatures", value: { features } });
  }

  private async tellLogging(): Promise<void> {
    await this.tellFeatures();
    for (const ring of this.rings.values()) await ring.tellPlace(this.log !== undefined);
  }
}

interface Begun {
  readonly offered: bigint;
  readonly protocolFeatures: bigint;
  readonly queueCount: number | undefined;
  readonly memorySlots: number;
  readonly channel: BackendChannel | undefined;
}

/** What a front-end says first, in QEMU's order. */
async function begin(
  system: System,
  connection: Connection,
  { without = 0n, onConfigChanged }: FrontendOptions,
): Promise<Begun> {
  const requests = new Requests(connection);
  const { features: offered } = await requests.ask({ case: "vhostUserGetFeatures", value: undefined });
  let queueCount: number | undefined;
  let memorySlots = VHOST_MEMORY_BASELINE_NREGIONS;
  let channel: BackendChannel | undefined;
  if ((offered & VHOST_USER_F_PROTOCOL_FEATURES) !== 0n) {
    const theirs = await requests.ask({ case: "vhostUserGetProtocolFeatures", value: undefined });
    const protocolFeatures = theirs.protocolFeatures & PROTOCOL_FEATURES & ~without;
    await requests.tell({ case: "vhostUserSetProtocolFeatures", value: { protocolFeatures } });
    connection.agreed = { ...connection.agreed, protocolFeatures };
    if (requests.hasProtocol(VHOST_USER_PROTOCOL_F_MQ)) {
      const { queueNum } = await requests.ask({ case: "vhostUserGetQueueNum", value: undefined });
      queueCount = Number(queueNum);
    }
    if (requests.hasProtocol(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
      const { slots } = await requests.ask({ case: "vhostUserGetMaxMemSlots", value: undefined });
      memorySlots = Number(slots);
    }
    if (requests.hasProtocol(VHOST_USER_PROTOCOL_F_BACKEND_REQ)) {
      channel = new BackendChannel(system, { configChanged: () => onConfigChanged?.() });
      await requests.tell({ case: "vhostUserSetBackendReqFd", value: undefined }, [channel.theirs]);
      channel.theirs.close();
    }
  }
  await requests.tell({ case: "vhostUserSetOwner", value: undefined });
  const { protocolFeatures } = connection.agreed;
  return { offered, protocolFeatures, queueCount, memorySlots, channel };
}
