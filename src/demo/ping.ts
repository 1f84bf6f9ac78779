/** ICMP echo requests as Ethernet frames, and the replies to them. @source RFC 791, RFC 792 */
import { ETHERNET_HEADER_SIZE, EtherType, encodeEthernetHeader } from "../../generated/net/ethernet.js";
import {
  encodeIcmpEcho,
  ICMP_ECHO_SIZE,
  IcmpType,
  readIcmpEchoAt,
  scanIcmpEcho,
} from "../../generated/net/icmp.js";
import { encodeIpv4Header, IPV4_HEADER_SIZE, IpProtocol } from "../../generated/net/ipv4.js";
import { onesComplementSum } from "../device/devices/internet-checksum.js";
import { Reader } from "../runtime/index.js";

/** One end of a ping. */
export interface Station {
  readonly mac: Uint8Array;
  /** IPv4, e.g. 0x0a000001 for 10.0.0.1. */
  readonly address: number;
}

const IDENTIFIER = 0x7677;
const TTL = 64;
const WORD = 4;
const MESSAGE_AT: number = ETHERNET_HEADER_SIZE + IPV4_HEADER_SIZE;

export function pingFrame(from: Station, to: Station, sequence: number): Uint8Array {
  const echo = { type: IcmpType.ICMP_ECHO, code: 0, identifier: IDENTIFIER, sequence };
  const packet = {
    version: 4,
    ihl: IPV4_HEADER_SIZE / WORD,
    tos: 0,
    totalLength: IPV4_HEADER_SIZE + ICMP_ECHO_SIZE,
    identification: sequence,
    dontFragment: 1,
    moreFragments: 0,
    fragmentOffset: 0,
    ttl: TTL,
    protocol: IpProtocol.IPPROTO_ICMP,
    source: from.address,
    destination: to.address,
  };
  const frame = new Uint8Array(MESSAGE_AT + ICMP_ECHO_SIZE);
  frame.set(encodeEthernetHeader({ destination: to.mac, source: from.mac, type: EtherType.ETH_P_IP }));
  frame.set(
    summed((checksum) => encodeIpv4Header({ ...packet, checksum })),
    ETHERNET_HEADER_SIZE,
  );
  frame.set(
    summed((checksum) => encodeIcmpEcho({ ...echo, checksum })),
    MESSAGE_AT,
  );
  return frame;
}

/** The sequence number of a reply to one of these pings; undefined for any other frame. */
export function pongSequence(frame: Uint8Array): number | undefined {
  const reader = new Reader(frame);
  reader.at = MESSAGE_AT;
  if (frame.length < MESSAGE_AT || !scanIcmpEcho(reader)) return undefined;
  const { type, identifier, sequence } = readIcmpEchoAt(reader, MESSAGE_AT);
  return type === IcmpType.ICMP_ECHOREPLY && identifier === IDENTIFIER ? sequence : undefined;
}

/** A header with the checksum over itself. */
function summed(header: (checksum: number) => Uint8Array): Uint8Array {
  const bare = header(0);
  return header(~onesComplementSum(new DataView(bare.buffer), 0, bare.length) & 0xffff);
}
