/** The frames that the benchmark sends. */
import { encodeEthernetHeader } from "../../generated/net/ethernet.js";
import { encodeIcmpEcho, IcmpType } from "../../generated/net/icmp.js";
import { encodeIpv4Header, IpProtocol } from "../../generated/net/ipv4.js";
import { BACKEND_ADDRESS, BACKEND_MAC, FRONTEND_ADDRESS, FRONTEND_MAC } from "./setup.js";

const IPV4 = 0x0800;
/** For experiments on one network: nobody answers. @source IEEE 802, Local Experimental Ethertype 1 */
const EXPERIMENTAL = 0x88b5;

/** Of so many bytes, which nobody answers. */
export function plainFrame(length: number): Uint8Array {
  return joined(length, head(EXPERIMENTAL));
}

/** An ICMP echo request in a frame of so many bytes, checksums and all. */
export function echoFrame(length: number): Uint8Array {
  const ethernet = head(IPV4);
  const ip = {
    ihl: 5,
    version: 4,
    tos: 0,
    identification: 0,
    fragmentOffset: 0,
    moreFragments: 0,
    dontFragment: 0,
  };
  const route = {
    ttl: 64,
    protocol: IpProtocol.IPPROTO_ICMP,
    source: FRONTEND_ADDRESS,
    destination: BACKEND_ADDRESS,
  };
  const totalLength = length - ethernet.length;
  const unchecked = encodeIpv4Header({ ...ip, ...route, totalLength, checksum: 0 });
  const ipv4 = encodeIpv4Header({ ...ip, ...route, totalLength, checksum: checksum(unchecked) });
  const echo = { type: IcmpType.ICMP_ECHO, code: 0, identifier: 1, sequence: 1 };
  // The data is zero, and adds nothing.
  const message = encodeIcmpEcho({ ...echo, checksum: checksum(encodeIcmpEcho({ ...echo, checksum: 0 })) });
  return joined(length, ethernet, ipv4, message);
}

function head(type: number): Uint8Array {
  return encodeEthernetHeader({ destination: BACKEND_MAC, source: FRONTEND_MAC, type });
}

function joined(length: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const frame = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** RFC 1071. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  bytes.forEach((byte, i) => {
    sum += i % 2 === 0 ? byte << 8 : byte;
  });
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
