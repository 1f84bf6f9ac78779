/**
 * A host in a few lines: answers ARP for its address, and ICMP echo requests. A network device is plugged into it so that
 * a guest has somebody to talk to. It counts what it hears, announcements of guests that have moved among them.
 */
import {
  ARP_PACKET_SIZE,
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
import { fieldOffsets, offsetOf } from "../rings/places.js";
import { checksumAfter, onesComplementSum } from "./internet-checksum.js";
import { type FramePort, type Link, MAX_FRAME } from "./link.js";

const IPV4_VERSION = 4;
const WORD = 4;
/** The word of an echo request that a reply has zero in: its type, and a code of zero. */
const ECHO_WORD = IcmpType.ICMP_ECHO << 8;
/** The bit of an address's first byte that says that it is of a group. */
const GROUP = 1;

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

/** Of a buffer that all views fit into: with a tag, an ARP packet or the headers of an echo message. */
const HEADS =
  ETHERNET_HEADER_SIZE + VLAN_TAG_SIZE + Math.max(ARP_PACKET_SIZE, IPV4_HEADER_SIZE + ICMP_ECHO_SIZE);

/** The views of one buffer. */
class Heads {
  readonly bytes: Uint8Array;
  readonly reader: Reader;
  readonly ethernet: EthernetHeaderView;
  readonly tag: VlanTagView;
  readonly ipv4: Ipv4HeaderView;
  readonly icmp: IcmpEchoView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.reader = new Reader(bytes);
    this.ethernet = new EthernetHeaderView(this.reader);
    this.tag = new VlanTagView(this.reader, ETHERNET_HEADER_SIZE);
    this.ipv4 = new Ipv4HeaderView(this.reader, ETHERNET_HEADER_SIZE);
    this.icmp = new IcmpEchoView(this.reader, ETHERNET_HEADER_SIZE + IPV4_HEADER_SIZE);
  }
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
  /** A sender lends the same buffer over and over: its views are made once. */
  private heads = new Heads(new Uint8Array(HEADS));

  constructor({ address, mac }: ResponderOptions) {
    this.address = address;
    this.mac = mac.slice();
  }

  attach(port: FramePort): FramePort {
    return {
      receive: (bytes, length) => {
        if (bytes !== this.heads.bytes)
          this.heads = new Heads(bytes.length < HEADS ? enlarged(bytes) : bytes);
        if (this.answers(length)) port.receive(this.heads.bytes, length);
      },
    };
  }

  /** Nothing is kept of a port. */
  detach(): void {}

  /** Whether the frame is an answer now. */
  private answers(length: number): boolean {
    if (length < ETHERNET_HEADER_SIZE || length > MAX_FRAME) return false;
    const { bytes, ethernet, tag } = this.heads;
    let { type } = ethernet;
    let payload = ETHERNET_HEADER_SIZE;
    if (type === EtherType.ETH_P_8021Q) {
      payload += VLAN_TAG_SIZE;
      if (length < payload) return false;
      type = tag.type;
    }
    if (type === EtherType.ETH_P_IP) {
      if (!this.isOwn(bytes) || !this.answersEcho(payload, length)) return false;
      this.echoes++;
    } else if (type === EtherType.ETH_P_ARP || type === EtherType.ETH_P_RARP) {
      if (!this.answersArp(payload, length)) return false;
      this.resolved++;
    } else return false;
    for (let i = 0; i < ETH_ALEN; i++) {
      bytes[DESTINATION + i] = bytes[SOURCE + i] as number;
      bytes[SOURCE + i] = this.mac[i] as number;
    }
    return true;
  }

  /**
   * The checksums of both headers stay right: swapping two addresses changes no sum, and that of the message is adapted
   * to its new type. So a message that was damaged on its way is answered with one that is damaged likewise.
   */
  private answersEcho(at: number, length: number): boolean {
    const { ipv4, icmp, reader } = this.heads;
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
    const { bytes, reader } = this.heads;
    if (!scanArpPacket(reader.rewind(at, length, 0))) return false;
    const packet = readArpPacketAt(reader, at);
    const { operation, senderProtocol, targetProtocol } = packet;
    if (operation === ArpOperation.RARP_REQUEST || senderProtocol === targetProtocol) {
      this.announcements++;
      return false;
    }
    const isAsked = operation === ArpOperation.ARP_REQUEST && targetProtocol === this.address;
    if (!isAsked || !(this.isOwn(bytes) || isGroup(bytes))) return false;
    writeArpPacketAt(new Writer(bytes), at, {
      ...packet,
      operation: ArpOperation.ARP_REPLY,
      senderHardware: this.mac,
      senderProtocol: this.address,
      targetHardware: packet.senderHardware.slice(),
      targetProtocol: senderProtocol,
    });
    return true;
  }

  private isOwn(frame: Uint8Array): boolean {
    for (let i = 0; i < ETH_ALEN; i++) if (frame[DESTINATION + i] !== this.mac[i]) return false;
    return true;
  }
}

function isGroup(frame: Uint8Array): boolean {
  return ((frame[DESTINATION] as number) & GROUP) !== 0;
}

function enlarged(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(HEADS);
  larger.set(bytes);
  return larger;
}
