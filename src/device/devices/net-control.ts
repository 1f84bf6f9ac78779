/**
 * What the driver of a network device sets through the control virtqueue: which frames it wants to receive, and how many
 * pairs of virtqueues it uses.
 */
import { ETH_ALEN } from "../../../generated/net/ethernet.js";
import {
  decodeVirtioNetCtrlMacAddr,
  decodeVirtioNetCtrlMacTable,
  decodeVirtioNetCtrlMqPairsSet,
  decodeVirtioNetCtrlRx,
  decodeVirtioNetCtrlVlan,
  VirtioNetCtrlCommands,
} from "../../../generated/virtio/net-ctrl.js";
import { WireError } from "../../runtime/index.js";
import { type NetState, RESET_NET } from "../member/device-state.js";
import type { NetControlState } from "../member/device-type.js";
import { BROADCAST, isFor, isForGroup } from "./mac-address.js";

/** With VIRTIO_F_VERSION_1 all of it is little-endian. */
const LITTLE = true;
/** Addresses that each table keeps, as in QEMU; with more, every address of the kind is received. */
const TABLE_ENTRIES = 64;
const MAX_VLAN = 0xfff;

/** What is negotiated: commands without their feature are refused. */
export interface NetControlFeatures {
  readonly rx: boolean;
  readonly rxExtra: boolean;
  readonly vlan: boolean;
  readonly mac: boolean;
  readonly announce: boolean;
  readonly mq: boolean;
}

export class NetControl implements NetControlState {
  /** The default address of the device, as the driver sees and sets it. */
  mac: Uint8Array;
  /** Pairs of virtqueues in use. */
  pairs = 1;
  /** The driver is asked to announce itself. */
  announcing = false;
  private readonly ownMac: Uint8Array;
  private readonly maxPairs: number;
  private modes: ReceiveModes = RESET_NET;
  private unicast: readonly Uint8Array[] = [];
  private multicast: readonly Uint8Array[] = [];
  private unicastOverflow = false;
  private multicastOverflow = false;
  private vlans = new Set<number>();

  constructor(mac: Uint8Array, maxPairs: number) {
    this.ownMac = mac.slice();
    this.mac = this.ownMac;
    this.maxPairs = maxPairs;
  }

  reset(): void {
    this.mac = this.ownMac;
    this.announcing = false;
    this.restore();
  }

  /** Carries out a command: class × 256 + command. False when it is not known, not negotiated or not sound. */
  carryOut(command: number, data: Uint8Array, negotiated: NetControlFeatures): boolean {
    try {
      return this.set(command, data, negotiated);
    } catch (error) {
      if (error instanceof WireError) return false;
      throw error;
    }
  }

  /** Whether the driver wants a frame for this address, which lies at the start of the frame. */
  accepts(frame: Uint8Array): boolean {
    const { modes } = this;
    if (modes.promiscuous) return true;
    if (!isForGroup(frame)) {
      if (modes.noUnicast) return false;
      return (
        modes.allUnicast || this.unicastOverflow || isFor(frame, this.mac) || isAmong(frame, this.unicast)
      );
    }
    if (isFor(frame, BROADCAST)) return !modes.noBroadcast;
    if (modes.noMulticast) return false;
    return modes.allMulticast || this.multicastOverflow || isAmong(frame, this.multicast);
  }

  acceptsVlan(id: number): boolean {
    return this.vlans.has(id);
  }

  save(): NetState {
    return {
      ...this.modes,
      unicast: this.unicast,
      multicast: this.multicast,
      unicastOverflow: this.unicastOverflow,
      multicastOverflow: this.multicastOverflow,
      vlans: [...this.vlans].sort((a, b) => a - b),
      pairs: this.pairs,
    };
  }

  /** @throws RangeError when more pairs are in use than there are here, or when there is no such VLAN or address. */
  verify({ pairs, vlans, mac }: NetState): void {
    const foreign = vlans.find((id) => id > MAX_VLAN);
    if (foreign !== undefined) throw new RangeError(`VLAN ${foreign}`);
    if (mac !== undefined && mac.length !== ETH_ALEN)
      throw new RangeError(`a MAC address of ${mac.length} bytes`);
    if (!(Number.isInteger(pairs) && pairs > 0 && pairs <= this.maxPairs)) {
      throw new RangeError(`${pairs} pairs of virtqueues in use, here are ${this.maxPairs}`);
    }
  }

  restore(state: NetState = RESET_NET): void {
    const { promiscuous, allMulticast, allUnicast, noMulticast, noUnicast, noBroadcast } = state;
    this.modes = { promiscuous, allMulticast, allUnicast, noMulticast, noUnicast, noBroadcast };
    this.setTables(state.unicast, state.multicast);
    this.unicastOverflow ||= state.unicastOverflow;
    this.multicastOverflow ||= state.multicastOverflow;
    this.vlans = new Set(state.vlans);
    this.pairs = state.pairs;
    if (state.mac !== undefined) this.mac = state.mac.slice();
  }

  private set(command: number, data: Uint8Array, negotiated: NetControlFeatures): boolean {
    const commands = VirtioNetCtrlCommands;
    switch (command) {
      case commands.VIRTIO_NET_CTRL_RX_PROMISC:
        return negotiated.rx && this.setMode("promiscuous", data);
      case commands.VIRTIO_NET_CTRL_RX_ALLMULTI:
        return negotiated.rx && this.setMode("allMulticast", data);
      case commands.VIRTIO_NET_CTRL_RX_ALLUNI:
        return negotiated.rxExtra && this.setMode("allUnicast", data);
      case commands.VIRTIO_NET_CTRL_RX_NOMULTI:
        return negotiated.rxExtra && this.setMode("noMulticast", data);
      case commands.VIRTIO_NET_CTRL_RX_NOUNI:
        return negotiated.rxExtra && this.setMode("noUnicast", data);
      case commands.VIRTIO_NET_CTRL_RX_NOBCAST:
        return negotiated.rxExtra && this.setMode("noBroadcast", data);
      case commands.VIRTIO_NET_CTRL_MAC_TABLE_SET: {
        if (!negotiated.rx) return false;
        const { unicast, multicast } = decodeVirtioNetCtrlMacTable(data, LITTLE);
        this.setTables(unicast.macs, multicast.macs);
        return true;
      }
      case commands.VIRTIO_NET_CTRL_MAC_ADDR_SET:
        if (!negotiated.mac) return false;
        this.mac = decodeVirtioNetCtrlMacAddr(data).mac.slice();
        return true;
      case commands.VIRTIO_NET_CTRL_VLAN_ADD:
      case commands.VIRTIO_NET_CTRL_VLAN_DEL: {
        const { vlanId } = decodeVirtioNetCtrlVlan(data, LITTLE);
        if (!negotiated.vlan || vlanId > MAX_VLAN) return false;
        if (command === commands.VIRTIO_NET_CTRL_VLAN_ADD) this.vlans.add(vlanId);
        else this.vlans.delete(vlanId);
        return true;
      }
      case commands.VIRTIO_NET_CTRL_ANNOUNCE_ACK:
        if (!negotiated.announce || data.length > 0) return false;
        this.announcing = false;
        return true;
      case commands.VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET: {
        const { virtqueuePairs } = decodeVirtioNetCtrlMqPairsSet(data, LITTLE);
        if (!negotiated.mq || virtqueuePairs < 1 || virtqueuePairs > this.maxPairs) return false;
        this.pairs = virtqueuePairs;
        return true;
      }
      default:
        return false;
    }
  }

  private setMode(mode: keyof ReceiveModes, data: Uint8Array): boolean {
    this.modes = { ...this.modes, [mode]: decodeVirtioNetCtrlRx(data).on !== 0 };
    return true;
  }

  private setTables(unicast: readonly Uint8Array[], multicast: readonly Uint8Array[]): void {
    this.unicastOverflow = unicast.length > TABLE_ENTRIES;
    this.unicast = this.unicastOverflow ? [] : unicast.map((mac) => mac.slice());
    this.multicastOverflow = multicast.length > TABLE_ENTRIES;
    this.multicast = this.multicastOverflow ? [] : multicast.map((mac) => mac.slice());
  }
}

type ReceiveModes = Pick<
  NetState,
  "promiscuous" | "allMulticast" | "allUnicast" | "noMulticast" | "noUnicast" | "noBroadcast"
>;

function isAmong(frame: Uint8Array, macs: readonly Uint8Array[]): boolean {
  return macs.some((mac) => isFor(frame, mac));
}
