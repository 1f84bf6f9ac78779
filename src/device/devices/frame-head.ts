/** The headers at the start of a frame, as far as a network device looks at them. */
import {
  ETHERNET_HEADER_SIZE,
  EthernetHeaderView,
  EtherType,
  VLAN_TAG_SIZE,
  VlanTagView,
} from "../../../generated/net/ethernet.js";
import { IPV4_HEADER_SIZE, Ipv4HeaderView } from "../../../generated/net/ipv4.js";
import { Reader } from "../../runtime/index.js";
import { copyBytes } from "../memory/copy.js";

/** Of a frame that is looked at. */
const HEAD_SIZE: number = ETHERNET_HEADER_SIZE + VLAN_TAG_SIZE + IPV4_HEADER_SIZE;

export class FrameHead {
  private readonly bytes: Uint8Array;
  private readonly ethernet: EthernetHeaderView;
  private readonly tag: VlanTagView;
  private readonly ipv4: Ipv4HeaderView;
  private length = 0;

  /** On a buffer in which frames come to lie; without one, frames are copied in. */
  constructor(buffer: Uint8Array = new Uint8Array(HEAD_SIZE)) {
    const reader = new Reader(buffer);
    this.bytes = buffer;
    this.ethernet = new EthernetHeaderView(reader);
    this.tag = new VlanTagView(reader, ETHERNET_HEADER_SIZE);
    this.ipv4 = new Ipv4HeaderView(reader, ETHERNET_HEADER_SIZE);
  }

  /** Looks at a frame, which the sender may change afterwards. */
  load(frame: Uint8Array, length: number): this {
    if (frame !== this.bytes) copyBytes(frame, 0, this.bytes, 0, Math.min(length, HEAD_SIZE));
    this.length = length;
    return this;
  }

  /** Undefined when the frame has no tag. */
  get vlan(): number | undefined {
    const isTagged =
      this.length >= ETHERNET_HEADER_SIZE + VLAN_TAG_SIZE && this.ethernet.type === EtherType.ETH_P_8021Q;
    return isTagged ? this.tag.vlanId : undefined;
  }

  /** A number that both directions of what two IPv4 addresses say to each other share; zero for other frames. */
  get flow(): number {
    const isIpv4 =
      this.length >= ETHERNET_HEADER_SIZE + IPV4_HEADER_SIZE && this.ethernet.type === EtherType.ETH_P_IP;
    return isIpv4 ? (this.ipv4.source ^ this.ipv4.destination) >>> 0 : 0;
  }
}
