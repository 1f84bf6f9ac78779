/**
 * What tells a network that a guest is somewhere else now, so that switches learn its new port. Sent on behalf of
 * guests that cannot do so themselves.
 */
import {
  ARP_HARDWARE_ETHERNET,
  ArpOperation,
  type ArpPacket,
  encodeArpPacket,
} from "../../../generated/net/arp.js";
import { ETH_ALEN, ETH_ZLEN, EtherType, encodeEthernetHeader } from "../../../generated/net/ethernet.js";
import { BROADCAST } from "./mac-address.js";

/**
 * The frame of 60 bytes that a back-end sends at VHOST_USER_SEND_RARP, and QEMU itself for its own devices: the guest asks
 * for its own address.
 * @source RFC 903; QEMU 10.0.2, net/announce.c
 */
export function rarpFrame(mac: Uint8Array): Uint8Array {
  return frameOf(EtherType.ETH_P_RARP, {
    operation: ArpOperation.RARP_REQUEST,
    senderHardware: mac,
    senderProtocol: 0,
    targetHardware: mac,
    targetProtocol: 0,
  });
}

/**
 * A gratuitous ARP request, as a guest announces its own address.
 * @source RFC 5227, ARP Announcement
 */
export function gratuitousArpFrame(mac: Uint8Array, address: number): Uint8Array {
  return frameOf(EtherType.ETH_P_ARP, {
    operation: ArpOperation.ARP_REQUEST,
    senderHardware: mac,
    senderProtocol: address,
    targetHardware: new Uint8Array(ETH_ALEN),
    targetProtocol: address,
  });
}

type Packet = Pick<
  ArpPacket,
  "operation" | "senderHardware" | "senderProtocol" | "targetHardware" | "targetProtocol"
>;

/** To all, padded to the shortest length of a frame. */
function frameOf(type: EtherType, packet: Packet): Uint8Array {
  const frame = new Uint8Array(ETH_ZLEN);
  const head = encodeEthernetHeader({ destination: BROADCAST, source: packet.senderHardware, type });
  frame.set(head);
  const body = encodeArpPacket({
    hardwareType: ARP_HARDWARE_ETHERNET,
    protocolType: EtherType.ETH_P_IP,
    hardwareLength: ETH_ALEN,
    protocolLength: Uint32Array.BYTES_PER_ELEMENT,
    ...packet,
  });
  frame.set(body, head.length);
  return frame;
}
