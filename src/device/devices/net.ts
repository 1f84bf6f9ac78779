/**
 * A network device: frames between a driver's virtqueues and a link. Without a control virtqueue it is what a vhost-user
 * back-end needs, whose front-end answers the driver's commands and shows it the configuration.
 */
import { ETH_ALEN, ETHERNET_HEADER_SIZE } from "../../../generated/net/ethernet.js";
import {
  decodeVirtioNetConfig,
  encodeVirtioNetConfig,
  VirtioNetStatus,
} from "../../../generated/virtio/device-config.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { VIRTIO_NET_HDR_V1_SIZE, VirtioNetHdrV1View } from "../../../generated/virtio/net.js";
import {
  readVirtioNetCtrlHdrAt,
  VIRTIO_NET_CTRL_HDR_SIZE,
  VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MAX,
  VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN,
  VirtioNetCtrlAck,
} from "../../../generated/virtio/net-ctrl.js";
import { Reader } from "../../runtime/index.js";
import type { DevicePort, DeviceType } from "../member/device-type.js";
import type { DescriptorChain } from "../rings/chain.js";
import { rarpFrame } from "./announcement.js";
import { FlowSteering } from "./flow-steering.js";
import { FrameHead } from "./frame-head.js";
import { type FramePort, type Link, MAX_FRAME } from "./link.js";
import { NetControl } from "./net-control.js";
import { featuresOf, type Negotiated, NOTHING_NEGOTIATED, negotiatedOn, PAIR } from "./net-features.js";

const { VIRTIO_NET_S_LINK_UP, VIRTIO_NET_S_ANNOUNCE } = VirtioNetStatus;

/** With VIRTIO_F_VERSION_1 the configuration is little-endian. */
const LITTLE = true;
/** Far more than two tables of addresses take that the device would keep. */
const MAX_COMMAND = 1 << 16;
/** Receive buffers without room for a header that are passed over for one frame. */
const MAX_TOO_SHORT = 1024;
/** Between the numbers of commands of one class and the next. */
const CLASS = 1 << 8;

export interface NetOptions {
  readonly mac: Uint8Array;
  /** What the device is plugged into; without one, what it sends is lost. */
  readonly link?: Link;
  /** Pairs of virtqueues, 1 to 32768; 1 when left out. */
  readonly pairs?: number;
  /** Leave the control virtqueue out, and with it what it controls. */
  readonly withoutControl?: boolean;
  readonly queueSize?: number;
  /** Receive buffers that each pair takes before frames come for them: they are in flight when the device moves. */
  readonly ahead?: number;
  /** Frames that wait for receive buffers of a pair; the ones after them are dropped. */
  readonly backlog?: number;
}

/** What frames a pair of virtqueues has to deliver, and where to. */
interface Receiving {
  /** Buffers that were taken and have no frame yet. */
  readonly buffers: DescriptorChain[];
  /** Frames for which there were no buffers. */
  readonly frames: Uint8Array[];
}

/**
 * Its virtqueues are receiveq1, transmitq1, receiveq2 and so on, and the control virtqueue behind them. Checksum and
 * segmentation offloads are not offered: frames are carried as they are.
 * @source virtio 1.4, Network Device (device-types/net/description.tex)
 */
export class NetDevice implements DeviceType, FramePort {
  readonly id: number = VirtioDeviceId.VIRTIO_ID_NET;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  /** Frames from the driver. */
  transmitted = 0;
  /** Frames to the driver. */
  received = 0;
  /** Frames that could not be carried: malformed, or without a receive buffer. Filtered ones are not counted. */
  dropped = 0;
  private readonly pairs: number;
  /** What the driver controls; undefined without a control virtqueue. */
  readonly net: NetControl | undefined;
  private readonly ownMac: Uint8Array;
  private readonly ahead: number;
  private readonly backlog: number;
  private readonly receiving: readonly Receiving[];
  private readonly steering = new FlowSteering();
  /** The frame that is being transmitted: a copy, which the driver can no longer change. */
  private readonly outgoing = new Uint8Array(MAX_FRAME);
  private readonly outgoingHead = new FrameHead(this.outgoing);
  private readonly incomingHead = new FrameHead();
  /** The header of received frames. Its first bytes serve drivers that have a shorter one. */
  private readonly headerBytes = new Uint8Array(VIRTIO_NET_HDR_V1_SIZE);
  private readonly header = new VirtioNetHdrV1View(this.headerBytes);
  private link: FramePort | undefined;
  private port: DevicePort | undefined;
  private negotiated: Negotiated = NOTHING_NEGOTIATED;
  /** The state was brought from elsewhere, and the network does not know. */
  private hasMoved = false;

  /** @throws RangeError when there is no such address, or no such number of pairs. */
  constructor(options: NetOptions) {
    const {
      mac,
      link,
      pairs = 1,
      withoutControl = false,
      queueSize = 256,
      ahead = 0,
      backlog = 256,
    } = options;
    if (mac.length !== ETH_ALEN) throw new RangeError(`a MAC address of ${mac.length} bytes`);
    const isPossible =
      Number.isInteger(pairs) &&
      pairs >= VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN &&
      pairs <= VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MAX;
    if (!isPossible) throw new RangeError(`${pairs} pairs of virtqueues`);
    this.pairs = pairs;
    this.ownMac = mac.slice();
    this.ahead = ahead;
    this.backlog = backlog;
    this.net = withoutControl ? undefined : new NetControl(mac, pairs);
    this.features = featuresOf(pairs, withoutControl);
    const queues = pairs * PAIR + (withoutControl ? 0 : 1);
    this.queueSizes = Array.from({ length: queues }, () => queueSize);
    this.receiving = Array.from({ length: pairs }, () => ({ buffers: [], frames: [] }));
    this.link = link?.attach(this);
  }

  /** As it is now: the driver may have set another one. */
  get mac(): Uint8Array {
    return this.net?.mac ?? this.ownMac;
  }

  config(): Uint8Array {
    const announce = this.net?.announcing ? VIRTIO_NET_S_ANNOUNCE : 0;
    return encodeVirtioNetConfig(
      { mac: this.mac, status: VIRTIO_NET_S_LINK_UP | announce, maxVirtqueuePairs: this.pairs },
      LITTLE,
    );
  }

  /** Nothing in it is the driver's to write, with VIRTIO_F_VERSION_1. */
  writeConfig(): void {}

  /** @throws RangeError when the device has another number of pairs. */
  verifyConfig(config: Uint8Array): void {
    const { maxVirtqueuePairs = 1 } = decodeVirtioNetConfig(config, LITTLE);
    if (maxVirtqueuePairs !== this.pairs) {
      throw new RangeError(`${maxVirtqueuePairs} pairs of virtqueues, here are ${this.pairs}`);
    }
  }

  restoreConfig(config: Uint8Array): void {
    if (this.net !== undefined) this.net.mac = decodeVirtioNetConfig(config, LITTLE).mac.slice();
    this.hasMoved = true;
  }

  start(port: DevicePort): void {
    this.port = port;
    // The driver may have another number of pairs now than before.
    this.steering.reset();
    this.negotiated = negotiatedOn(port, this.net === undefined ? undefined : this.pairs);
    if (!this.hasMoved) return;
    this.hasMoved = false;
    this.announce();
  }

  /**
   * Tells the network where the guest is now: through the driver where it can, and with a RARP request where it cannot.
   * Done once when a device has moved; who wants more rounds, as QEMU does, calls it again. `mac`: the driver's address,
   * where somebody else has set it.
   */
  announce(mac: Uint8Array = this.mac): void {
    if (this.net !== undefined && this.negotiated.commands.announce) {
      this.net.announcing = true;
      this.port?.configChanged();
    } else {
      const frame = rarpFrame(mac);
      this.link?.receive(frame, frame.length);
    }
  }

  reset(): void {
    for (const { buffers, frames } of this.receiving) {
      buffers.length = 0;
      frames.length = 0;
    }
    this.net?.reset();
    this.steering.reset();
    this.port = undefined;
    this.hasMoved = false;
  }

  resume(queue: number, chain: DescriptorChain): void {
    if (queue === this.negotiated.controlQueue) this.command(queue, chain);
    else if (queue % PAIR === 0) this.receiving[queue / PAIR]?.buffers.push(chain);
    else this.transmit(queue, chain);
  }

  serve(queue: number): boolean {
    if (queue !== this.negotiated.controlQueue && queue % PAIR === 0) return this.serveReceive(queue);
    const chain = this.port?.take(queue);
    if (chain === undefined) return false;
    if (queue === this.negotiated.controlQueue) this.command(queue, chain);
    else this.transmit(queue, chain);
    return true;
  }

  /** Buffers without a frame go back empty: there is nothing else to finish. */
  finish(): void {
    this.receiving.forEach(({ buffers }, pair) => {
      for (const chain of buffers.splice(0)) this.port?.give(pair * PAIR, chain);
    });
  }

  /** A frame from the link. */
  receive(bytes: Uint8Array, length: number): void {
    if (this.port === undefined || length < ETHERNET_HEADER_SIZE || length > MAX_FRAME) {
      this.dropped++;
      return;
    }
    if (this.net !== undefined && !this.isWanted(this.net, bytes, length)) return;
    const pair = this.pairFor(bytes, length);
    const receiving = this.receiving[pair];
    if (receiving === undefined) return;
    // Those that wait come first, or the driver would see frames of a flow out of order.
    const isNext = receiving.frames.length === 0 && this.port.isActive;
    if (isNext && this.deliver(pair, receiving, bytes, length)) this.port.tellUsed();
    else if (receiving.frames.length < this.backlog) {
      receiving.frames.push(bytes.slice(0, length));
      this.port.wantBuffers(pair * PAIR);
    } else this.dropped++;
  }

  private isWanted(control: NetControl, bytes: Uint8Array, length: number): boolean {
    if (!control.accepts(bytes)) return false;
    if (!this.negotiated.commands.vlan) return true;
    const { vlan } = this.incomingHead.load(bytes, length);
    return vlan === undefined || control.acceptsVlan(vlan);
  }

  private pairFor(bytes: Uint8Array, length: number): number {
    if (this.pairs === 1) return 0;
    const pair = this.steering.pairFor(this.incomingHead.load(bytes, length));
    // The driver may use fewer pairs than when it sent that frame.
    return this.isUsed(pair) ? pair : 0;
  }

  private isUsed(pair: number): boolean {
    return pair < (this.net?.pairs ?? this.pairs) && this.port?.isEnabled(pair * PAIR) === true;
  }

  /**
   * Frames that wait for a pair that the driver uses no longer are received on the first one.
   * @source virtio 1.4, Multiqueue mode: no packet is queued beyond virtqueue_pairs once the command is used
   */
  private gatherWaiting(): void {
    const [first, ...others] = this.receiving;
    if (first === undefined) return;
    others.forEach(({ frames }, index) => {
      if (frames.length === 0 || this.isUsed(index + 1)) return;
      for (const frame of frames.splice(0)) {
        if (first.frames.length < this.backlog) first.frames.push(frame);
        else this.dropped++;
      }
      this.port?.wantBuffers(0);
    });
  }

  /** Delivers a frame that waits, or takes a buffer ahead. */
  private serveReceive(queue: number): boolean {
    const { port } = this;
    const pair = queue / PAIR;
    const receiving = this.receiving[pair];
    if (port === undefined || receiving === undefined) return false;
    const [frame] = receiving.frames;
    if (frame !== undefined) {
      if (!this.deliver(pair, receiving, frame, frame.length)) return false;
      receiving.frames.shift();
      return true;
    }
    if (receiving.buffers.length >= this.ahead) return false;
    const chain = port.take(queue);
    if (chain === undefined) return false;
    receiving.buffers.push(chain);
    return true;
  }

  /** Whether there were buffers for the frame. One that no buffer of the driver's can hold is dropped. */
  private deliver(pair: number, receiving: Receiving, bytes: Uint8Array, length: number): boolean {
    const { buffers } = receiving;
    const queue = pair * PAIR;
    const count = this.gather(queue, buffers, this.negotiated.headerLength + length);
    if (count === undefined) return false;
    if (count === 0) {
      this.dropped++;
      return true;
    }
    if (this.header.numBuffers !== count) this.header.numBuffers = count;
    let at = 0;
    for (let left = count; left > 0; left--) {
      const chain = buffers.shift() as DescriptorChain;
      if (left === count) chain.write(this.headerBytes, 0, this.negotiated.headerLength);
      at += chain.write(bytes, at, length);
      // The driver counts on all of them once it sees the first.
      this.port?.give(queue, chain, left > 1);
    }
    this.received++;
    return true;
  }

  /**
   * Takes buffers until the first of them hold `size` bytes. Gives how many these are: zero when the driver's buffers
   * cannot hold that much, undefined when there are none yet.
   */
  private gather(queue: number, buffers: DescriptorChain[], size: number): number | undefined {
    const { headerLength, mergeable } = this.negotiated;
    let room = 0;
    let tooShort = 0;
    for (let count = 0; ; ) {
      if (count === buffers.length) {
        const taken = this.port?.take(queue);
        // With some of the buffers that it needs a frame would hold up those behind it, for ever in a ring that is too
        // small for it.
        if (taken === undefined) return count === 0 ? undefined : 0;
        buffers.push(taken);
      }
      const chain = buffers[count] as DescriptorChain;
      if (chain.writableLength < headerLength) {
        // Too short for even a header, which no driver may offer.
        buffers.splice(count, 1);
        this.port?.give(queue, chain);
        // One that offers them as fast as they come back would have the device look for another for ever.
        if (++tooShort > MAX_TOO_SHORT) return 0;
        continue;
      }
      room += chain.writableLength;
      count++;
      if (room >= size) return count;
      if (!mergeable) return 0;
    }
  }

  private transmit(queue: number, chain: DescriptorChain): void {
    const { headerLength } = this.negotiated;
    const length = chain.readableLength - headerLength;
    const pair = (queue - 1) / PAIR;
    if (length < ETHERNET_HEADER_SIZE || length > MAX_FRAME) {
      this.dropped++;
    } else {
      // No offload is negotiated, so there is nothing in the header for the device.
      chain.readInto(this.outgoing, headerLength);
      if (this.pairs > 1) this.steering.sent(this.outgoingHead.load(this.outgoing, length), pair);
      this.transmitted++;
      this.link?.receive(this.outgoing, length);
    }
    this.port?.give(queue, chain);
  }

  private command(queue: number, chain: DescriptorChain): void {
    const ack = this.carriesOut(chain) ? VirtioNetCtrlAck.VIRTIO_NET_OK : VirtioNetCtrlAck.VIRTIO_NET_ERR;
    this.gatherWaiting();
    chain.write(Uint8Array.of(ack));
    this.port?.give(queue, chain);
  }

  private carriesOut(chain: DescriptorChain): boolean {
    const { readableLength } = chain;
    if (readableLength < VIRTIO_NET_CTRL_HDR_SIZE || readableLength > MAX_COMMAND) return false;
    const bytes = chain.read();
    const { class: group, cmd } = readVirtioNetCtrlHdrAt(new Reader(bytes), 0);
    const data = bytes.subarray(VIRTIO_NET_CTRL_HDR_SIZE);
    return this.net?.carryOut(group * CLASS + cmd, data, this.negotiated.commands) ?? false;
  }
}
