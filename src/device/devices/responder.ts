/**
 * A host in a few lines: answers ARP for its address, and ICMP echo requests. A network device is plugged into it so that
 * a guest has somebody to talk to. It counts what it hears, announcements of guests that have moved among them.
 */
import {
  ArpOperation,
  readArpPacketAt,
  scanArpPacket,
  writeArpPacketAt,
} from "../../../generated/net/arp.js";
import {
  ETH_ALEN,
  ETHERNET_HEADER_SIZE,
  EthernetHeaderView,
  EtherType,
  VLAN_TAG_SIZE,
  VlanTagView,
  walkEthernetHeader,
} from "../../../generated/net/ethernet.js";
import { ICMP_ECHO_SIZE, IcmpEchoView, IcmpType } from "../../../generated/net/icmp.js";
import { IPV4_HEADER_SIZE, IpProtocol, Ipv4HeaderView } from "../../../generated/net/ipv4.js";
import { Reader, Writer } from "../../runtime/index.js";
import { copyBytes } from "../memory/copy.js";
import { fieldOffsets, offsetOf } from "../rings/places.js";
import { checksumAfter, onesComplementSum } from "./internet-checksum.js";
import { type FramePort, type Link, MAX_FRAME } from "./link.js";
import { isFor, isForGroup } from "./mac-address.js";

const IPV4_VERSION = 4;
const WORD = 4;
/** The word of an echo request that a reply has zero in: its type, and a code of zero. */
const ECHO_WORD = IcmpType.ICMP_ECHO << 8;

const ETHERNET = fieldOffsets((visitor) =>
  walkEthernetHeader(new Reader(new Uint8Array(ETHERNET_HEADER_SIZE)), visitor),
);
const DESTINATION = offsetOf(ETHERNET, "destination");
const SOURCE = offsetOf(ETHERNET, "source");

export interface ResponderOptions {
  /** IPv4 address, e.g. 0x0a000001 for 10.0.0.1. */
  readonly address: number;
  readonly mac: Uint8Array;
}

export class Responder implements Link {
  readonly address: number;
  /** Echo requests that it has answered. */
  echoes = 0;
  /** ARP requests that it has answered. */
  resolved = 0;
  /** Hosts that told where they are: RARP requests for their own address, gratuitous ARP. */
  announcements = 0;
  private readonly mac: Uint8Array;
  /** A copy of the frame that is being answered: it becomes the answer in place. */
  private readonly frame = new Uint8Array(MAX_FRAME);
  private readonly reader = new Reader(this.frame);
  private readonly ethernet = new EthernetHeaderView(this.reader);
  private readonly tag = new VlanTagView(this.reader, ETHERNET_HEADER_SIZE);
  private readonly ipv4 = new Ipv4HeaderView(this.reader, ETHERNET_HEADER_SIZE);
  private readonly icmp = new IcmpEchoView(this.reader, ETHERNET_HEADER_SIZE + IPV4_HEADER_SIZE);

  constructor({ address, mac }: ResponderOptions) {
    this.address = address;
    this.mac = mac.slice();
  }

  attach(port: FramePort): FramePort {
    return {
      receive: (bytes, length) => {
        if (length > MAX_FRAME) return;
        copyBytes(bytes, 0, this.frame, 0, length);
        if (this.answers(length)) port.receive(this.frame, length);
      },
    };
  }

  /** Nothing is kept of a port. */
  detach(): void {}

  /** Whether the frame is an answer now. */
  private answers(length: number): boolean {
    if (length < ETHERNET_HEADER_SIZE) return false;
    const { frame } = this;
    let { type } = this.ethernet;
    let payload = ETHERNET_HEADER_SIZE;
    if (type === EtherType.ETH_P_8021Q) {
      payload += VLAN_TAG_SIZE;
      if (length < payload) return false;
      type = this.tag.type;
    }
    if (type === EtherType.ETH_P_IP) {
      if (!isFor(frame, this.mac) || !this.answersEcho(payload, length)) return false;
      this.echoes++;
    } else if (type === EtherType.ETH_P_ARP || type === EtherType.ETH_P_RARP) {
      if (!this.answersArp(payload, length)) return false;
      this.resolved++;
    } else return false;
    for (let i = 0; i < ETH_ALEN; i++) {
      frame[DESTINATION + i] = frame[SOURCE + i] as number;
      frame[SOURCE + i] = this.mac[i] as number;
    }
    return true;
  }

  /**
   * The checksums of both headers stay right: swapping two addresses changes no sum, and that of the message is adapted
   * to its new type. So a message that was damaged on its way is answered with one that is damaged likewise.
   */
  private answersEcho(at: number, length: number): boolean {
    const { ipv4, icmp, reader } = this;
    if (length - at < IPV4_HEADER_SIZE + ICMP_ECHO_SIZE) return false;
    ipv4.moveTo(at);
    const headerLength = ipv4.ihl * WORD;
    const { totalLength, source, destination } = ipv4;
    if (
      ipv4.version !== IPV4_VERSION ||
      headerLength < IPV4_HEADER_SIZE ||
      totalLength > length - at ||
      totalLength - headerLength < ICMP_ECHO_SIZE ||
      ipv4.protocol !== IpProtocol.IPPROTO_ICMP ||
      ipv4.moreFragments !== 0 ||
      ipv4.fragmentOffset !== 0 ||
      destination !== this.address ||
      onesComplementSum(reader.view, at, headerLength) !== 0xffff
    ) {
      return false;
    }
    icmp.moveTo(at + headerLength);
    if (icmp.type !== IcmpType.ICMP_ECHO || icmp.code !== 0) return false;
    ipv4.source = destination;
    ipv4.destination = source;
    icmp.type = IcmpType.ICMP_ECHOREPLY;
    icmp.checksum = checksumAfter(icmp.checksum, ECHO_WORD, 0);
    return true;
  }

  private answersArp(at: number, length: number): boolean {
    const { frame, reader } = this;
    if (!scanArpPacket(reader.rewind(at, length, 0))) return false;
    const packet = readArpPacketAt(reader, at);
    const { operation, senderProtocol, targetProtocol } = packet;
    if (operation === ArpOperation.RARP_REQUEST || senderProtocol === targetProtocol) {
      this.announcements++;
      return false;
    }
    const isAsked = operation === ArpOperation.ARP_REQUEST && targetProtocol === this.address;
    if (!isAsked || !(isFor(frame, this.mac) || isForGroup(frame))) return false;
    writeArpPacketAt(new Writer(frame), at, {
      ...packet,
      operation: ArpOperation.ARP_REPLY,
      senderHardware: this.mac,
      senderProtocol: this.address,
      targetHardware: packet.senderHardware.slice(),
      targetProtocol: senderProtocol,
    });
    return true;
  }
}
