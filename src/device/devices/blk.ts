/**
 * A block device. Requests are taken first and carried out later, one by one, so that a migration finds some in flight;
 * those for a disk that takes its time are under way at the same time.
 */
import {
  decodeVirtioBlkRanges,
  readVirtioBlkOuthdr,
  VIRTIO_BLK_DISCARD_WRITE_ZEROES_SIZE,
  VIRTIO_BLK_ID_BYTES,
  VIRTIO_BLK_OUTHDR_SIZE,
  VIRTIO_BLK_SECTOR_SIZE,
  type VirtioBlkDiscardWriteZeroes,
  VirtioBlkStatus,
  VirtioBlkType,
} from "../../../generated/virtio/blk.js";
import {
  decodeVirtioBlkConfig,
  encodeVirtioBlkConfig,
  type VirtioBlkConfig,
} from "../../../generated/virtio/device-config.js";
import { VirtioBlkFeature } from "../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { Reader, WireError } from "../../runtime/index.js";
import type { DevicePort, DeviceType } from "../member/device-type.js";
import type { DescriptorChain } from "../rings/chain.js";
import { type Disk, MemoryDisk } from "./disk.js";

const {
  VIRTIO_BLK_F_FLUSH,
  VIRTIO_BLK_F_DISCARD,
  VIRTIO_BLK_F_WRITE_ZEROES,
  VIRTIO_BLK_F_MQ,
  VIRTIO_BLK_F_SEG_MAX,
} = VirtioBlkFeature;
const { VIRTIO_BLK_S_OK, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_UNSUPP } = VirtioBlkStatus;

/** The configuration is always in the guest's order, which with VERSION_1 is little-endian. */
const LITTLE = true;
const STATUS_BYTES = 1;
const MAX_RANGES = 16;
/** Of one range, whose field has 32 bits: disks can be larger. @unit sectors */
const MAX_RANGE = 2 ** 32 - 1;

export interface BlkOptions {
  /** The disk, or the bytes of one in memory: a multiple of 512 bytes. */
  readonly disk: Uint8Array | Disk;
  /** At most 20 characters. */
  readonly serial?: string;
  readonly queues?: number;
  readonly queueSize?: number;
  /** Requests that are taken before the first of them is carried out, and that may be under way at the same time. */
  readonly depth?: number;
}

interface Request {
  readonly queue: number;
  readonly chain: DescriptorChain;
}

export class BlkDevice implements DeviceType {
  readonly id: number = VirtioDeviceId.VIRTIO_ID_BLOCK;
  readonly features: bigint =
    VIRTIO_BLK_F_FLUSH |
    VIRTIO_BLK_F_DISCARD |
    VIRTIO_BLK_F_WRITE_ZEROES |
    VIRTIO_BLK_F_MQ |
    VIRTIO_BLK_F_SEG_MAX;
  readonly queueSizes: readonly number[];
  /** Requests that were carried out. */
  completed = 0;
  private readonly disk: Disk;
  private readonly serial: string;
  private readonly depth: number;
  private port: DevicePort | undefined;
  /** Taken, and not begun. */
  private inFlight: Request[] = [];
  /** Begun, and waiting for the disk. */
  private readonly underWay = new Set<Promise<void>>();
  /** A request from before a reset is nobody's. */
  private resets = 0;

  constructor({ disk, serial = "virtwire", queues = 1, queueSize = 128, depth = 1 }: BlkOptions) {
    if (disk.length % VIRTIO_BLK_SECTOR_SIZE !== 0)
      throw new RangeError(`a disk of ${disk.length} bytes is not whole sectors`);
    this.disk = disk instanceof Uint8Array ? new MemoryDisk(disk) : disk;
    this.serial = serial;
    this.depth = depth;
    this.queueSizes = Array.from({ length: queues }, () => queueSize);
  }

  config(): Uint8Array {
    const sectors = this.disk.length / VIRTIO_BLK_SECTOR_SIZE;
    const config: VirtioBlkConfig = {
      capacity: BigInt(sectors),
      sizeMax: 0,
      segMax: Math.max(1, (this.queueSizes[0] ?? 0) - 2),
      geometry: { cylinders: 0, heads: 0, sectors: 0 },
      blkSize: VIRTIO_BLK_SECTOR_SIZE,
      topology: { physicalBlockExp: 0, alignmentOffset: 0, minIoSize: 0, optIoSize: 0 },
      writeback: 0,
      unused0: 0,
      numQueues: this.queueSizes.length,
      maxDiscardSectors: Math.min(sectors, MAX_RANGE),
      maxDiscardSeg: MAX_RANGES,
      discardSectorAlignment: 1,
      maxWriteZeroesSectors: Math.min(sectors, MAX_RANGE),
      maxWriteZeroesSeg: MAX_RANGES,
      writeZeroesMayUnmap: 1,
      unused1: new Uint8Array(3),
    };
    return encodeVirtioBlkConfig(config, LITTLE);
  }

  /** Nothing in it is the driver's to write: VIRTIO_BLK_F_CONFIG_WCE is not offered. */
  writeConfig(): void {}

  /** @throws RangeError when the disk has another size: the guest would lose sectors, or see some that are not its own. */
  verifyConfig(config: Uint8Array): void {
    const { capacity } = decodeVirtioBlkConfig(config, LITTLE);
    const own = BigInt(this.disk.length / VIRTIO_BLK_SECTOR_SIZE);
    if (capacity !== own) throw new RangeError(`a disk of ${capacity} sectors, here are ${own}`);
  }

  restoreConfig(): void {}

  start(port: DevicePort): void {
    this.port = port;
  }

  reset(): void {
    this.inFlight = [];
    this.port = undefined;
    this.resets++;
  }

  resume(queue: number, chain: DescriptorChain): void {
    this.inFlight.push({ queue, chain });
  }

  serve(queue: number): boolean {
    const { port } = this;
    if (port === undefined) return false;
    if (this.inFlight.length + this.underWay.size < this.depth) {
      const chain = port.take(queue);
      if (chain !== undefined) {
        this.inFlight.push({ queue, chain });
        return true;
      }
    }
    return this.begin();
  }

  finish(): void {
    while (this.begin());
  }

  get busy(): boolean {
    return this.underWay.size > 0;
  }

  async settled(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  /** Carries out the first request in flight, or begins to; false when there is none. */
  private begin(): boolean {
    const request = this.inFlight.shift();
    if (request === undefined) return false;
    const { chain } = request;
    const room = chain.writableLength - STATUS_BYTES;
    // Without room for a status it cannot be answered, and comes back empty.
    const later = room < 0 ? undefined : this.carryOut(chain, room);
    if (later instanceof Promise) this.wait(request, later);
    else this.complete(request, later);
    return true;
  }

  private wait(request: Request, later: Promise<number>): void {
    const { resets } = this;
    const done = later
      .catch(() => VIRTIO_BLK_S_IOERR)
      .then((status) => {
        this.underWay.delete(done);
        if (resets !== this.resets) return;
        this.complete(request, status);
        this.port?.wake(request.queue);
      });
    this.underWay.add(done);
  }

  private complete({ queue, chain }: Request, status: number | undefined): void {
    if (status !== undefined) {
      // The status is the last byte of the part, whatever the data before it.
      chain.skip(chain.room - STATUS_BYTES);
      chain.write(Uint8Array.of(status));
    }
    this.port?.give(queue, chain);
    this.completed++;
  }

  /** Gives the status. `room`: bytes for data. */
  private carryOut(chain: DescriptorChain, room: number): number | Promise<number> {
    if (chain.readableLength < VIRTIO_BLK_OUTHDR_SIZE) return VIRTIO_BLK_S_IOERR;
    const { type, sector } = readVirtioBlkOuthdr(new Reader(chain.read(0, VIRTIO_BLK_OUTHDR_SIZE)));
    try {
      switch (type) {
        case VirtioBlkType.VIRTIO_BLK_T_IN: {
          const at = this.place(sector, room);
          if (at === undefined) return VIRTIO_BLK_S_IOERR;
          return after(this.disk.read(at, chain.lendRoom(room)), () => chain.wroteInPlace(room));
        }
        case VirtioBlkType.VIRTIO_BLK_T_OUT: {
          const at = this.place(sector, chain.readableLength - VIRTIO_BLK_OUTHDR_SIZE);
          if (at === undefined) return VIRTIO_BLK_S_IOERR;
          return after(this.stable(this.disk.write(at, chain.lend(VIRTIO_BLK_OUTHDR_SIZE))));
        }
        case VirtioBlkType.VIRTIO_BLK_T_FLUSH:
          return after(this.disk.flush());
        case VirtioBlkType.VIRTIO_BLK_T_GET_ID: {
          const id = new Uint8Array(Math.min(room, VIRTIO_BLK_ID_BYTES));
          id.set(new TextEncoder().encode(this.serial).subarray(0, id.length));
          chain.write(id);
          return VIRTIO_BLK_S_OK;
        }
        case VirtioBlkType.VIRTIO_BLK_T_DISCARD:
        case VirtioBlkType.VIRTIO_BLK_T_WRITE_ZEROES:
          return this.clear(type, chain);
        default:
          return VIRTIO_BLK_S_UNSUPP;
      }
    } catch {
      return VIRTIO_BLK_S_IOERR;
    }
  }

  /** Where whole sectors lie on the disk; undefined when they do not. */
  private place(sector: bigint, length: number): number | undefined {
    const at = sector * BigInt(VIRTIO_BLK_SECTOR_SIZE);
    if (length % VIRTIO_BLK_SECTOR_SIZE !== 0 || at + BigInt(length) > BigInt(this.disk.length)) {
      return undefined;
    }
    return Number(at);
  }

  /** All ranges or none: they are checked before the first of them is touched. */
  private clear(type: number, chain: DescriptorChain): number | Promise<number> {
    const ranges = rangesOf(chain);
    if (ranges.length === 0 || ranges.length > MAX_RANGES) return VIRTIO_BLK_S_IOERR;
    const mayUnmap = type === VirtioBlkType.VIRTIO_BLK_T_WRITE_ZEROES;
    const places: { readonly at: number; readonly length: number }[] = [];
    for (const { sector, numSectors, unmap, reserved = 0 } of ranges) {
      if (reserved !== 0 || (unmap !== 0 && !mayUnmap)) return VIRTIO_BLK_S_UNSUPP;
      const length = numSectors * VIRTIO_BLK_SECTOR_SIZE;
      const at = this.place(sector, length);
      if (at === undefined) return VIRTIO_BLK_S_IOERR;
      places.push({ at, length });
    }
    return after(
      this.stable(
        allOf(
          places.map(
            ({ at, length }) =>
              () =>
                this.disk.clear(at, length),
          ),
        ),
      ),
    );
  }

  /**
   * A driver that has not agreed on flushes takes what is written for safe when it is told so.
   * @source virtio 1.4, Block Device, Device Operation: when a write becomes stable
   */
  private stable(written: Promise<void> | undefined): Promise<void> | undefined {
    if (this.port?.has(VIRTIO_BLK_F_FLUSH) === true) return written;
    return written === undefined ? this.disk.flush() : written.then(() => this.disk.flush());
  }
}

/** All of them are over when it resolves, or rejects for one of them: a request must not end before its work does. */
function allOf(works: readonly (() => Promise<void> | undefined)[]): Promise<void> | undefined {
  const waits: Promise<void>[] = [];
  for (const work of works) {
    try {
      const wait = work();
      if (wait !== undefined) waits.push(wait);
    } catch (error) {
      waits.push(Promise.reject(error));
    }
  }
  if (waits.length === 0) return undefined;
  return Promise.allSettled(waits).then((ends) => {
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  });
}

/** None when there are too many, or when they are damaged. */
function rangesOf(chain: DescriptorChain): readonly VirtioBlkDiscardWriteZeroes[] {
  try {
    const most = (MAX_RANGES + 1) * VIRTIO_BLK_DISCARD_WRITE_ZEROES_SIZE;
    return decodeVirtioBlkRanges(chain.read(VIRTIO_BLK_OUTHDR_SIZE, most)).ranges;
  } catch (error) {
    if (error instanceof WireError) return [];
    throw error;
  }
}

/** Success, once what is waited for is there. */
function after(wait: Promise<void> | undefined, then: () => void = () => {}): number | Promise<number> {
  if (wait !== undefined) {
    return wait.then(() => {
      then();
      return VIRTIO_BLK_S_OK;
    });
  }
  then();
  return VIRTIO_BLK_S_OK;
}
