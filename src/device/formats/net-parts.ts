/**
 * What the driver of a network device has set through the control virtqueue, as device parts: one for each command that it
 * may use. Too many addresses for the device's tables have no part, nor has receive-side scaling here.
 * @source virtio 1.4, VIRTIO_NET_DEV_PART_CVQ_CFG_PART (device-types/net/description.tex)
 */
import { decodeVirtioDeviceConfig } from "../../../generated/virtio/device-config.js";
import {
  type VirtioDevPart,
  type VirtioNetDevPartCvqCfgPartValue,
  VirtioNetDevPartType,
} from "../../../generated/virtio/device-parts.js";
import { VirtioNetFeature } from "../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { VirtioNetCtrlCommands } from "../../../generated/virtio/net-ctrl.js";
import type { DeviceState, NetState } from "../member/device-state.js";

/** Whether the driver can have set anything. */
export function hasNetControls({ deviceType, driverFeatures }: DeviceState): boolean {
  const isNet = deviceType === VirtioDeviceId.VIRTIO_ID_NET;
  return isNet && (driverFeatures & VirtioNetFeature.VIRTIO_NET_F_CTRL_VQ) !== 0n;
}

const MODES = [
  ["promisc", "promiscuous", VirtioNetCtrlCommands.VIRTIO_NET_CTRL_RX_PROMISC],
  ["allmulti", "allMulticast", VirtioNetCtrlCommands.VIRTIO_NET_CTRL_RX_ALLMULTI],
] as const;
const EXTRA_MODES = [
  ["alluni", "allUnicast", VirtioNetCtrlCommands.VIRTIO_NET_CTRL_RX_ALLUNI],
  ["nomulti", "noMulticast", VirtioNetCtrlCommands.VIRTIO_NET_CTRL_RX_NOMULTI],
  ["nouni", "noUnicast", VirtioNetCtrlCommands.VIRTIO_NET_CTRL_RX_NOUNI],
  ["nobcast", "noBroadcast", VirtioNetCtrlCommands.VIRTIO_NET_CTRL_RX_NOBCAST],
] as const;

/** A command: class × 256 + number. */
type Command = (typeof VirtioNetCtrlCommands)[keyof typeof VirtioNetCtrlCommands];

export function netParts(state: DeviceState): VirtioDevPart[] {
  const { net, driverFeatures } = state;
  if (net === undefined || !hasNetControls(state)) return [];
  const has = (feature: bigint) => (driverFeatures & feature) !== 0n;
  const parts: VirtioDevPart[] = [];
  const add = (command: Command, value: VirtioNetDevPartCvqCfgPartValue) => {
    parts.push({
      partType: VirtioNetDevPartType.VIRTIO_NET_DEV_PART_CVQ_CFG_PART,
      flags: 0,
      part: {
        case: "netCvqCfg",
        value: { selector: { class: command >> 8, command: command & 0xff }, value },
      },
    });
  };
  const addModes = (modes: typeof MODES | typeof EXTRA_MODES) => {
    for (const [name, key, command] of modes) add(command, { case: name, value: { on: net[key] ? 1 : 0 } });
  };
  if (has(VirtioNetFeature.VIRTIO_NET_F_CTRL_RX)) {
    addModes(MODES);
    add(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_MAC_TABLE_SET, {
      case: "macTable",
      value: { unicast: { macs: [...net.unicast] }, multicast: { macs: [...net.multicast] } },
    });
  }
  if (has(VirtioNetFeature.VIRTIO_NET_F_CTRL_RX_EXTRA)) addModes(EXTRA_MODES);
  const mac = macOf(state);
  if (has(VirtioNetFeature.VIRTIO_NET_F_CTRL_MAC_ADDR) && mac !== undefined) {
    add(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_MAC_ADDR_SET, { case: "macAddr", value: { mac } });
  }
  if (has(VirtioNetFeature.VIRTIO_NET_F_CTRL_VLAN)) {
    add(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_VLAN_ADD, { case: "vlanTable", value: [...net.vlans] });
  }
  if (has(VirtioNetFeature.VIRTIO_NET_F_MQ)) {
    add(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, {
      case: "vqPairs",
      value: { virtqueuePairs: net.pairs },
    });
  }
  return parts;
}

/** What a part says, on top of what others have said. */
export function withNetPart(net: NetState, part: VirtioNetDevPartCvqCfgPartValue): NetState {
  const mode = [...MODES, ...EXTRA_MODES].find(([name]) => name === part.case);
  switch (part.case) {
    case "promisc":
    case "allmulti":
    case "alluni":
    case "nomulti":
    case "nouni":
    case "nobcast":
      return mode === undefined ? net : { ...net, [mode[1]]: part.value.on !== 0 };
    case "macTable": {
      const { unicast, multicast } = part.value;
      return { ...net, unicast: unicast.macs, multicast: multicast.macs };
    }
    case "macAddr":
      return { ...net, mac: part.value.mac };
    case "vlanTable":
      return { ...net, vlans: part.value };
    case "vqPairs":
      return { ...net, pairs: part.value.virtqueuePairs };
    default:
      return net;
  }
}

/** The address that the device has now. */
export function macOf({ net, config, deviceType, isBigEndian }: DeviceState): Uint8Array | undefined {
  if (net?.mac !== undefined || config.length === 0) return net?.mac;
  const { config: value } = decodeVirtioDeviceConfig(config, deviceType, isBigEndian !== true);
  return value.case === "net" ? value.value.mac : undefined;
}
