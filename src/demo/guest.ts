/**
 * A guest under load: it writes to its disk and reads back what it wrote, pings its gateway, and changes pages of its
 * memory. It notices whatever is lost, doubled or changed.
 */
import { VIRTIO_BLK_SECTOR_SIZE, VirtioBlkStatus } from "../../generated/virtio/blk.js";
import { Allocator, BlkDriver, NetDriver } from "../device/index.js";
import { type DemoHost, GATEWAY, GUEST } from "./host.js";
import { pingFrame, pongSequence } from "./ping.js";

const PAGE = 4096;
/** For rings, requests and frames; the rest of memory is data. */
const DRIVER_MEMORY = 1 << 21;
/** Pages of data that change again and again; more of them and precopy would have to run after them longer. */
const BUSY_PAGES = 512;
const SEQUENCES = 1 << 16;

export interface Work {
  /** Requests that the disk has answered, rightly. */
  readonly requests: number;
  readonly pings: number;
  /** Pages that were changed. */
  readonly pages: number;
}

interface Request {
  readonly sector: number;
  /** What a read must bring; undefined for a write. */
  readonly expected: number | undefined;
}

export class DemoGuest {
  private host: DemoHost;
  private readonly blk: BlkDriver;
  private readonly net: NetDriver;
  private readonly sectors: Uint8Array;
  private readonly sent = new Map<number, Request>();
  private readonly busy = new Set<number>();
  private readonly pinged = new Set<number>();
  private readonly contents = new Map<number, number>();
  private requests = 0;
  private pings = 0;
  private pages = 0;
  private turn = 0;

  /** `sectors`: of the disk. */
  constructor(host: DemoHost, sectors: number) {
    this.host = host;
    const allocator = new Allocator(0, DRIVER_MEMORY);
    this.blk = new BlkDriver(host.blkBus, host.memory, allocator, { sectors: 1 });
    this.net = new NetDriver(host.netBus, host.memory, allocator);
    this.sectors = new Uint8Array(sectors);
    // One half of memory has something in it.
    for (let page = DRIVER_MEMORY; page < this.memorySize / 2; page += PAGE) {
      host.memory.write(page, new Uint8Array(PAGE).fill(page / PAGE));
    }
  }

  get work(): Work {
    return { requests: this.requests, pings: this.pings, pages: this.pages };
  }

  /** Everything that was asked of the devices is answered. */
  get isIdle(): boolean {
    return this.sent.size === 0 && this.pinged.size === 0;
  }

  /** The guest has moved: its memory and its devices are there. */
  attach(host: DemoHost): void {
    this.host = host;
    this.blk.attach(host.blkBus, host.memory);
    this.net.attach(host.netBus, host.memory);
  }

  /** One turn of its processors. */
  step(): void {
    this.turn++;
    this.request();
    const sequence = this.turn % SEQUENCES;
    if (this.net.send(pingFrame(GUEST, GATEWAY, sequence))) this.pinged.add(sequence);
    this.changePage();
    this.answers();
  }

  /** Takes what the devices have answered. @throws Error when it is not what it must be. */
  answers(): void {
    for (let answer = this.blk.poll(); answer !== undefined; answer = this.blk.poll()) {
      const request = this.sent.get(answer.id);
      if (request === undefined) throw new Error(`request ${answer.id} is answered twice`);
      this.sent.delete(answer.id);
      this.busy.delete(request.sector);
      const right = answer.data.every((byte) => byte === request.expected);
      if (answer.status !== VirtioBlkStatus.VIRTIO_BLK_S_OK || !right) {
        throw new Error(`sector ${request.sector} is not what was written there`);
      }
      this.requests++;
    }
    for (let frame = this.net.poll(); frame !== undefined; frame = this.net.poll()) {
      const sequence = pongSequence(frame);
      if (sequence === undefined || !this.pinged.delete(sequence))
        throw new Error("a reply that nobody asked for");
      this.pings++;
    }
  }

  /** @throws Error when a page of data is not what the guest has left there. */
  verifyMemory(): void {
    for (let page = DRIVER_MEMORY; page < this.memorySize; page += PAGE) {
      const written = page < this.memorySize / 2 ? (page / PAGE) & 0xff : 0;
      const expected = this.contents.get(page) ?? written;
      if (this.host.memory.read(page, PAGE).some((byte) => byte !== expected)) {
        throw new Error(`the page at 0x${page.toString(16)} has changed`);
      }
    }
  }

  private get memorySize(): number {
    return this.host.memory.regions.reduce((size, { bytes }) => size + bytes.length, 0);
  }

  private request(): void {
    const sector = (this.turn * 7) % this.sectors.length;
    // Requests for one sector at the same time have no order.
    if (this.busy.has(sector)) return;
    const write = this.turn % 2 === 0;
    const value = this.turn & 0xff;
    const id = write
      ? this.blk.writeSectors(sector, new Uint8Array(VIRTIO_BLK_SECTOR_SIZE).fill(value))
      : this.blk.readSectors(sector, 1);
    if (id === undefined) return;
    this.busy.add(sector);
    this.sent.set(id, { sector, expected: write ? undefined : this.sectors[sector] });
    if (write) this.sectors[sector] = value;
  }

  private changePage(): void {
    const page = DRIVER_MEMORY + ((this.turn * 13) % BUSY_PAGES) * PAGE;
    const value = this.turn & 0xff;
    this.host.memory.write(page, new Uint8Array(PAGE).fill(value));
    this.contents.set(page, value);
    this.pages++;
  }
}
