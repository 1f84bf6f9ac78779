/** Writes pcapng files: one section, in little-endian order, with timestamps in nanoseconds. */
import {
  encodePcapngBlock,
  encodePcapngPacketFlags,
  type PcapngBlockBody,
  PcapngBlockType,
  PcapngDirection,
  PcapngInterfaceOption,
  type PcapngLinkType,
  type PcapngOption,
  PcapngOptionCode,
  PcapngPacketOption,
  sizeofPcapngBlock,
} from "../../../generated/capture/pcapng.js";

/** What a packet is, beside its bytes. */
export interface PacketNote {
  /** In nanoseconds since 1970. */
  readonly time: bigint;
  /** Seen from the side that is recorded. */
  readonly direction?: "inbound" | "outbound";
  readonly comment?: string;
}

const LITTLE_ENDIAN = true;
/** Blocks and options end at multiples of it. */
const ALIGNMENT = 4;
/** 10^-9 of a second, in the form of IF_TSRESOL. */
const NANOSECONDS = 9;
/** It is not known before the last packet is written. */
const UNKNOWN_LENGTH = 2n ** 64n - 1n;

const DIRECTIONS = {
  inbound: PcapngDirection.PCAPNG_INBOUND,
  outbound: PcapngDirection.PCAPNG_OUTBOUND,
} as const;

export class PcapngWriter {
  private readonly write: (bytes: Uint8Array) => void;
  private readonly text = new TextEncoder();
  private interfaces = 0;

  /** `write` gets the file from its first byte on, a block at a time, in memory of its own. */
  constructor(write: (bytes: Uint8Array) => void) {
    this.write = write;
    this.block(PcapngBlockType.PCAPNG_SECTION_HEADER, {
      case: "section",
      value: { major: 1, minor: 0, sectionLength: UNKNOWN_LENGTH, options: [] },
    });
  }

  /** Gives the number by which packets name it. Interfaces may be added between packets. */
  addInterface(linkType: PcapngLinkType, name: string): number {
    this.block(PcapngBlockType.PCAPNG_INTERFACE_DESCRIPTION, {
      case: "interface",
      value: {
        linkType,
        snapLength: 0,
        options: ended([
          option(PcapngInterfaceOption.IF_NAME, this.text.encode(name)),
          option(PcapngInterfaceOption.IF_TSRESOL, Uint8Array.of(NANOSECONDS)),
        ]),
      },
    });
    return this.interfaces++;
  }

  packet(interfaceId: number, data: Uint8Array, { time, direction, comment }: PacketNote): void {
    const options: PcapngOption[] = [];
    if (direction !== undefined) {
      const flags = {
        direction: DIRECTIONS[direction],
        reception: 0,
        fcsLength: 0,
        checksum: 0,
        linkErrors: 0,
      };
      options.push(option(PcapngPacketOption.EPB_FLAGS, encodePcapngPacketFlags(flags, LITTLE_ENDIAN)));
    }
    if (comment !== undefined) options.push(option(PcapngOptionCode.OPT_COMMENT, this.text.encode(comment)));
    this.block(PcapngBlockType.PCAPNG_ENHANCED_PACKET, {
      case: "packet",
      value: {
        interfaceId,
        timestampHigh: Number(BigInt.asUintN(32, time >> 32n)),
        timestampLow: Number(BigInt.asUintN(32, time)),
        originalLength: data.length,
        data,
        padding: paddingOf(data.length),
        options: options.length === 0 ? options : ended(options),
      },
    });
  }

  private block(type: PcapngBlockType, body: PcapngBlockBody): void {
    const lengthAgain = sizeofPcapngBlock({ type, body, lengthAgain: 0 }, LITTLE_ENDIAN);
    this.write(encodePcapngBlock({ type, body, lengthAgain }, LITTLE_ENDIAN));
  }
}

function option(code: PcapngOption["code"], value: Uint8Array): PcapngOption {
  return { code, value, padding: paddingOf(value.length) };
}

function ended(options: readonly PcapngOption[]): PcapngOption[] {
  return [...options, option(PcapngOptionCode.OPT_ENDOFOPT, new Uint8Array(0))];
}

function paddingOf(length: number): Uint8Array {
  return new Uint8Array((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
}
