/**
 * What a driver has set through the control virtqueue of a network device, in that device's own part of what QEMU saves.
 * @source QEMU 10.0.2, hw/net/virtio-net.c
 */
import type { QemuVirtioNet } from "../../../../generated/qemu/virtio/net.js";
import { VirtioNetFeature } from "../../../../generated/virtio/features.js";
import { VirtioNetGuestOffloads } from "../../../../generated/virtio/net-ctrl.js";
import { netLayout } from "../../../streams/qemu/virtio/devices/net.js";
import { savedValue } from "../../../streams/qemu/virtio/saved.js";
import type { VirtioState } from "../../../streams/qemu/virtio/state.js";
import type { DeviceState, NetState } from "../../member/device-state.js";
import { hasNetControls, macOf } from "../net-parts.js";

/** The bit of an address's first byte that says that it is of a group. */
const GROUP = 1;
const VLANS = 4096;
const WORD_BYTES = 4;
/** Those that have the numbers of their features, as all of QEMU's 10.0 have. */
export const NET_OFFLOADS: bigint = Object.values(VirtioNetGuestOffloads).reduce((all, bit) => all | bit, 0n);

/** Undefined: the driver cannot have set anything. `isBigHost`: the order of the host that saved it. */
export function readNet(saved: VirtioState, state: DeviceState, isBigHost: boolean): NetState | undefined {
  const own = savedValue(saved, "qemu_virtio_net");
  if (own === undefined || !hasNetControls(state)) return undefined;
  const hasVlans = (state.driverFeatures & VirtioNetFeature.VIRTIO_NET_F_CTRL_VLAN) !== 0n;
  const isGroup = (mac: Uint8Array) => ((mac[0] ?? 0) & GROUP) !== 0;
  return {
    promiscuous: own.promisc !== 0,
    allMulticast: own.allmulti !== 0,
    allUnicast: own.alluni !== 0,
    noMulticast: own.nomulti !== 0,
    noUnicast: own.nouni !== 0,
    noBroadcast: own.nobcast !== 0,
    unicast: own.macTableMacs.filter((mac) => !isGroup(mac)),
    multicast: own.macTableMacs.filter(isGroup),
    unicastOverflow: own.macTableUniOverflow !== 0,
    multicastOverflow: own.macTableMultiOverflow !== 0,
    // Without the feature, QEMU lets all of them in.
    vlans: hasVlans ? vlansOf(own.vlans, isBigHost) : [],
    pairs: pairsOf(own),
  };
}

/** What is not said stays as it is in the section. */
export function writeNet(
  saved: VirtioState,
  before: DeviceState,
  state: DeviceState,
  isBigHost: boolean,
): void {
  const own = savedValue(saved, "qemu_virtio_net");
  if (own === undefined) return;
  own.mac = macOf(state) ?? own.mac;
  writeOffloads(saved, own, before.driverFeatures, state.driverFeatures);
  const { net } = state;
  if (net === undefined) return;
  own.promisc = net.promiscuous ? 1 : 0;
  own.allmulti = net.allMulticast ? 1 : 0;
  own.alluni = net.allUnicast ? 1 : 0;
  own.nomulti = net.noMulticast ? 1 : 0;
  own.nouni = net.noUnicast ? 1 : 0;
  own.nobcast = net.noBroadcast ? 1 : 0;
  own.macTableMacs = [...net.unicast, ...net.multicast];
  own.macTableUniOverflow = net.unicastOverflow ? 1 : 0;
  own.macTableMultiOverflow = net.multicastOverflow ? 1 : 0;
  if ((state.driverFeatures & VirtioNetFeature.VIRTIO_NET_F_CTRL_VLAN) !== 0n) {
    own.vlans = vlanBits(net.vlans, isBigHost);
  }
  writePairs(own, net.pairs);
}

/** The field of offloads is there where its feature is negotiated: others than the driver's are as after a reset. */
function writeOffloads(saved: VirtioState, own: QemuVirtioNet, before: bigint, features: bigint): void {
  const has = (mask: bigint) => (mask & VirtioNetFeature.VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) !== 0n;
  if (has(before) === has(features)) return;
  own.currGuestOffloads = has(features) ? features & NET_OFFLOADS : undefined;
  const layout = netLayout(own.maxQueuePairs !== undefined, has(features));
  saved.parts = saved.parts.map((part) =>
    part.kind === "fields" && part.layout.type === layout.type ? { ...part, layout } : part,
  );
}

/** Of the pairs behind the first, each has a note that packets wait. */
function pairsOf({ txWaiting1 }: QemuVirtioNet): number {
  return 1 + (txWaiting1?.length ?? 0);
}

function writePairs(own: QemuVirtioNet, pairs: number): void {
  if (own.maxQueuePairs === undefined || pairs === pairsOf(own)) return;
  own.txWaiting1 = Array.from({ length: pairs - 1 }, (_, i) => own.txWaiting1?.[i] ?? 0);
}

function vlansOf(bits: Uint8Array, isBigHost: boolean): number[] {
  return Array.from({ length: VLANS }, (_, id) => id).filter((id) => {
    return ((bits[byteOf(id, isBigHost)] ?? 0) & (1 << (id % 8))) !== 0;
  });
}

function vlanBits(vlans: readonly number[], isBigHost: boolean): Uint8Array {
  const bits = new Uint8Array(VLANS / 8);
  for (const id of vlans) {
    const at = byteOf(id, isBigHost);
    bits[at] = (bits[at] ?? 0) | (1 << (id % 8));
  }
  return bits;
}

/** The words of the map are in the order of the host. */
function byteOf(id: number, isBigHost: boolean): number {
  const at = Math.floor(id / 8);
  return isBigHost ? at - (at % WORD_BYTES) + (WORD_BYTES - 1 - (at % WORD_BYTES)) : at;
}
