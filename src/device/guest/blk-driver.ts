/** A guest's block driver: requests out, answers in. */
import {
  encodeVirtioBlkOuthdr,
  VIRTIO_BLK_OUTHDR_SIZE,
  VIRTIO_BLK_SECTOR_SIZE,
  VirtioBlkStatus,
  VirtioBlkType,
} from "../../../generated/virtio/blk.js";
import { VirtioBlkFeature } from "../../../generated/virtio/features.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import type { Allocator } from "./allocator.js";
import { type DeviceBus, GuestDriver } from "./guest-driver.js";

const ALL = Object.values(VirtioBlkFeature).reduce((all, bit) => all | BigInt(bit), 0n);
const STATUS_BYTES = 1;
/** Requests and rings lie in pages of their own, as they do in a guest. */
const PAGE = 4096;

export interface BlkAnswer {
  /** What the request was sent as. */
  readonly id: number;
  /** `VirtioBlkStatus`; undefined when the device has left it out. */
  readonly status: number | undefined;
  /** Of a read. */
  readonly data: Uint8Array;
}

interface Sent {
  readonly id: number;
  readonly data: { readonly address: number; readonly length: number };
  readonly status: number;
  readonly slot: number;
}

/** What the status is before the device has written it: no status that there is. */
const UNWRITTEN = 0xff;

export class BlkDriver {
  readonly driver: GuestDriver;
  private memory: GuestMemory;
  private readonly slots: number[];
  private readonly slotBytes: number;
  private readonly base: number;
  private readonly sent = new Map<string, Sent>();
  private nextId = 0;

  /** Room for `slots` requests of at most `sectors` sectors. */
  constructor(
    bus: DeviceBus,
    memory: GuestMemory,
    allocator: Allocator,
    options: { readonly slots?: number; readonly sectors?: number; readonly without?: bigint } = {},
  ) {
    const { slots = 16, sectors = 8, without = 0n } = options;
    this.memory = memory;
    this.driver = new GuestDriver(bus, memory, allocator, ALL & ~without);
    this.slotBytes = VIRTIO_BLK_OUTHDR_SIZE + sectors * VIRTIO_BLK_SECTOR_SIZE + VIRTIO_BLK_OUTHDR_SIZE;
    this.base = allocator.take(this.slotBytes * slots, PAGE);
    this.slots = Array.from({ length: slots }, (_, i) => i);
  }

  /** The guest has moved to another host. */
  attach(bus: DeviceBus, memory: GuestMemory): void {
    this.memory = memory;
    this.driver.attach(bus, memory);
  }

  /** Requests that were sent and not answered. */
  get outstanding(): number {
    return this.sent.size;
  }

  /** Gives the request's id; undefined when there is no room for it now. */
  readSectors(sector: number, count: number, queue = 0): number | undefined {
    return this.send(
      VirtioBlkType.VIRTIO_BLK_T_IN,
      sector,
      new Uint8Array(0),
      count * VIRTIO_BLK_SECTOR_SIZE,
      queue,
    );
  }

  writeSectors(sector: number, data: Uint8Array, queue = 0): number | undefined {
    return this.send(VirtioBlkType.VIRTIO_BLK_T_OUT, sector, data, 0, queue);
  }

  flush(queue = 0): number | undefined {
    return this.send(VirtioBlkType.VIRTIO_BLK_T_FLUSH, 0, new Uint8Array(0), 0, queue);
  }

  /** The next answer on any queue. */
  poll(): BlkAnswer | undefined {
    for (const [index, queue] of this.driver.queues.entries()) {
      const used = queue.poll();
      if (used === undefined) continue;
      const key = `${index}/${used.id}`;
      const sent = this.sent.get(key);
      if (sent === undefined) throw new Error(`buffer ${key} came back without having been sent`);
      this.sent.delete(key);
      this.slots.push(sent.slot);
      const status = this.memory.read(sent.status, STATUS_BYTES)[0];
      return {
        id: sent.id,
        status: status === UNWRITTEN ? undefined : status,
        data:
          status === VirtioBlkStatus.VIRTIO_BLK_S_OK
            ? this.memory.read(sent.data.address, sent.data.length)
            : new Uint8Array(0),
      };
    }
    return undefined;
  }

  private send(
    type: number,
    sector: number,
    out: Uint8Array,
    into: number,
    queue: number,
  ): number | undefined {
    const slot = this.slots[0];
    const ring = this.driver.queues[queue];
    if (slot === undefined || ring === undefined) return undefined;
    const head = this.base + slot * this.slotBytes;
    const body = head + VIRTIO_BLK_OUTHDR_SIZE;
    const status = head + this.slotBytes - STATUS_BYTES;
    this.memory.write(head, encodeVirtioBlkOuthdr({ type, sector: BigInt(sector) }));
    this.memory.write(body, out);
    this.memory.write(status, Uint8Array.of(UNWRITTEN));
    const readable = [{ address: head, length: VIRTIO_BLK_OUTHDR_SIZE }];
    if (out.length > 0) readable.push({ address: body, length: out.length });
    const writable = [{ address: status, length: STATUS_BYTES }];
    if (into > 0) writable.unshift({ address: body, length: into });
    const ringId = ring.add({ readable, writable });
    if (ringId === undefined) return undefined;
    this.slots.shift();
    const id = this.nextId++;
    this.sent.set(`${queue}/${ringId}`, { id, data: { address: body, length: into }, status, slot });
    this.driver.kick(queue);
    return id;
  }
}
