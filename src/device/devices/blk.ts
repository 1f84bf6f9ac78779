/**
 * A block device on a disk in memory. Requests are taken first and carried out later, one by one, so that a migration
 * finds some in flight.
 */
import {
  decodeVirtioBlkRanges,
  readVirtioBlkOuthdr,
  VIRTIO_BLK_ID_BYTES,
  VIRTIO_BLK_OUTHDR_SIZE,
  VIRTIO_BLK_SECTOR_SIZE,
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

export interface BlkOptions {
  /** The disk: a multiple of 512 bytes. */
  readonly disk: Uint8Array;
  /** At most 20 characters. */
  readonly serial?: string;
  readonly queues?: number;
  readonly queueSize?: number;
  /** Requests that are taken before the first of them is carried out. */
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
  private readonly disk: Uint8Array;
  private readonly serial: string;
  private readonly depth: number;
  private port: DevicePort | undefined;
  private inFlight: Request[] = [];

  constructor({ disk, serial = "virtwire", queues = 1, queueSize = 128, depth = 1 }: BlkOptions) {
    if (disk.length % VIRTIO_BLK_SECTOR_SIZE !== 0)
      throw new RangeError(`a disk of ${disk.length} bytes is not whole sectors`);
    this.disk = disk;
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
      maxDiscardSectors: sectors,
      maxDiscardSeg: MAX_RANGES,
      discardSectorAlignment: 1,
      maxWriteZeroesSectors: sectors,
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
  }

  resume(queue: number, chain: DescriptorChain): void {
    this.inFlight.push({ queue, chain });
  }

  serve(queue: number): boolean {
    const { port } = this;
    if (port === undefined) return false;
    if (this.inFlight.length < this.depth) {
      const chain = port.take(queue);
      if (chain !== undefined) {
        this.inFlight.push({ queue, chain });
        return true;
      }
    }
    return this.complete();
  }

  finish(): void {
    while (this.complete());
  }

  /** Carries out the first request in flight; false when there is none. */
  private complete(): boolean {
    const request = this.inFlight.shift();
    if (request === undefined) return false;
    this.carryOut(request.chain);
    this.port?.give(request.queue, request.chain);
    this.completed++;
    return true;
  }

  /** Writes data and status. A request without room for a status cannot be answered, and comes back empty. */
  private carryOut(chain: DescriptorChain): void {
    const room = chain.writableLength - STATUS_BYTES;
    if (room < 0) return;
    const { status, data } = this.answer(chain, room);
    chain.write(data);
    // The status is the last byte of the part, whatever the data before it.
    chain.skip(chain.room - STATUS_BYTES);
    chain.write(Uint8Array.of(status));
  }

  private answer(chain: DescriptorChain, room: number): { status: number; data: Uint8Array } {
    const failed = { status: VIRTIO_BLK_S_IOERR, data: NOTHING };
    if (chain.readableLength < VIRTIO_BLK_OUTHDR_SIZE) return failed;
    const { type, sector } = readVirtioBlkOuthdr(new Reader(chain.read(0, VIRTIO_BLK_OUTHDR_SIZE)));
    const data = (): Uint8Array => chain.read(VIRTIO_BLK_OUTHDR_SIZE);
    switch (type) {
      case VirtioBlkType.VIRTIO_BLK_T_IN: {
        const at = this.place(sector, room);
        return at === undefined
          ? failed
          : { status: VIRTIO_BLK_S_OK, data: this.disk.subarray(at, at + room) };
      }
      case VirtioBlkType.VIRTIO_BLK_T_OUT: {
        const written = data();
        const at = this.place(sector, written.length);
        if (at === undefined) return failed;
        this.disk.set(written, at);
        return { status: VIRTIO_BLK_S_OK, data: NOTHING };
      }
      case VirtioBlkType.VIRTIO_BLK_T_FLUSH:
        return { status: VIRTIO_BLK_S_OK, data: NOTHING };
      case VirtioBlkType.VIRTIO_BLK_T_GET_ID: {
        const id = new Uint8Array(Math.min(room, VIRTIO_BLK_ID_BYTES));
        id.set(new TextEncoder().encode(this.serial).subarray(0, id.length));
        return { status: VIRTIO_BLK_S_OK, data: id };
      }
      case VirtioBlkType.VIRTIO_BLK_T_DISCARD:
      case VirtioBlkType.VIRTIO_BLK_T_WRITE_ZEROES:
        return { status: this.clear(data()) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR, data: NOTHING };
      default:
        return { status: VIRTIO_BLK_S_UNSUPP, data: NOTHING };
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

  private clear(data: Uint8Array): boolean {
    try {
      const { ranges } = decodeVirtioBlkRanges(data);
      if (ranges.length === 0 || ranges.length > MAX_RANGES) return false;
      for (const { sector, numSectors } of ranges) {
        const length = numSectors * VIRTIO_BLK_SECTOR_SIZE;
        const at = this.place(sector, length);
        if (at === undefined) return false;
        this.disk.fill(0, at, at + length);
      }
      return true;
    } catch (error) {
      if (error instanceof WireError) return false;
      throw error;
    }
  }
}

const NOTHING = new Uint8Array(0);
