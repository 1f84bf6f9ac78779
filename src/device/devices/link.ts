/**
 * What a network device is plugged into. Frames are Ethernet frames without preamble and check sequence; their bytes are
 * lent for the time of a call, so that they need not be copied on their way.
 */
import { ETHERNET_HEADER_SIZE, VLAN_TAG_SIZE } from "../../../generated/net/ethernet.js";

/**
 * The longest frame that is carried: a tagged IPv4 packet of 64 KiB, which only segmentation offload would make.
 * @unit bytes
 */
export const MAX_FRAME: number = ETHERNET_HEADER_SIZE + VLAN_TAG_SIZE + 0xffff;

/** One end of a cable: takes frames. */
export interface FramePort {
  /** A frame: the first `length` bytes of `bytes`, to be left as they are. They are the sender's again when this returns. */
  receive(bytes: Uint8Array, length: number): void;
}

/** Something with ports. */
export interface Link {
  /** Plugs in what takes the frames that come out; gives the port for those that go in. */
  attach(port: FramePort): FramePort;
  /** Unplugs it. */
  detach(port: FramePort): void;
}

/** Repeats every frame to all of its other ports. */
export class Hub implements Link {
  /** Another list whenever it changes: a port may be unplugged by what it hears. */
  private ports: readonly FramePort[] = [];

  attach(port: FramePort): FramePort {
    this.ports = [...this.ports, port];
    return {
      receive: (bytes, length) => {
        const { ports } = this;
        // One that answers at once may have the sender reuse its buffer before the next has heard the frame.
        const frame = ports.length > 2 ? bytes.slice(0, length) : bytes;
        for (const other of ports) if (other !== port) other.receive(frame, length);
      },
    };
  }

  detach(port: FramePort): void {
    this.ports = this.ports.filter((one) => one !== port);
  }

  /** Connects something that has ports of its own, such as a responder. */
  connect(link: Link): void {
    let inwards: FramePort | undefined;
    const outwards = link.attach({ receive: (bytes, length) => inwards?.receive(bytes, length) });
    inwards = this.attach(outwards);
  }
}
