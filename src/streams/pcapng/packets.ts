/**
 * Reads the packets of a pcapng file that is pushed in chunks of any size. Sections may be of either byte order; blocks of
 * kinds that are not needed are passed over. Holds one block at most.
 */
import {
  checkPcapngSectionStart,
  decodePcapngTimeOffset,
  PCAPNG_BLOCK_START_SIZE,
  PCAPNG_PACKET_FLAGS_SIZE,
  PCAPNG_SECTION_START_SIZE,
  PCAPNG_TIME_OFFSET_SIZE,
  type PcapngBlockBody,
  PcapngBlockType,
  PcapngDirection,
  type PcapngEnhancedPacket,
  type PcapngInterfaceDescription,
  PcapngInterfaceOption,
  type PcapngOption,
  PcapngOptionCode,
  PcapngPacketOption,
  readPcapngBlock,
  readPcapngBlockStart,
  readPcapngPacketFlags,
  scanPcapngBlock,
  scanPcapngBlockStart,
} from "../../../generated/capture/pcapng.js";
import { type Fault, Reader } from "../../runtime/index.js";
import { streamFault, under } from "../faults.js";
import { Window } from "../window.js";

/** Larger blocks are passed over: no packet of a conversation comes near this. */
const MAX_BLOCK = 16 << 20;
/** Of all sections together. */
const MAX_INTERFACES = 1 << 16;

export interface PcapngInterface {
  /** Number of its section, from 0. */
  readonly section: number;
  /** Number within its section. */
  readonly index: number;
  readonly linkType: number;
  readonly name: string | undefined;
}

export interface PcapngPacket {
  readonly interface: PcapngInterface;
  /** Where its block begins in the file. */
  readonly at: number;
  readonly direction: "inbound" | "outbound" | undefined;
  /** In seconds since 1970. */
  readonly time: number | undefined;
  readonly comments: readonly string[];
  /** Lent until the handler returns. */
  readonly data: Uint8Array;
  /** As it was sent: larger than the data when the recording has cut it. */
  readonly originalSize: number;
}

export interface PcapngHandler {
  packet(packet: PcapngPacket): void;
  /** Offsets are those in the file. */
  fault(fault: Fault): void;
}

interface Interface extends PcapngInterface {
  readonly snapLength: number;
  /** Units of timestamps in a second. */
  readonly resolution: number;
  readonly offset: number;
}

export class PcapngParser {
  private readonly handler: PcapngHandler;
  private readonly window = new Window();
  private readonly decoder = new TextDecoder();
  private littleEndian = true;
  private section = -1;
  private interfaces: Interface[] = [];
  private interfaceCount = 0;
  /** Bytes of a block that is passed over. */
  private skip = 0;
  private isLost = false;
  private ended = false;

  constructor(handler: PcapngHandler) {
    this.handler = handler;
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => this.read(reader));
  }

  end(): void {
    this.ended = true;
    this.window.finish((reader) => this.read(reader));
  }

  private read(reader: Reader): number {
    while (true) {
      const wanted = this.step(reader);
      if (wanted > 0) return wanted;
    }
  }

  /** Makes progress and returns 0, or says how many bytes it needs. */
  private step(reader: Reader): number {
    const had = reader.end - reader.at;
    if (this.isLost || this.skip > 0) {
      const passed = this.isLost ? had : Math.min(this.skip, had);
      reader.at += passed;
      this.skip = Math.max(0, this.skip - passed);
      if (this.skip > 0 && this.ended) return this.cut(reader, this.skip, 0);
      return this.isLost || this.skip > 0 ? 1 : 0;
    }
    if (had === 0) return 1;
    const start = Math.min(reader.end, reader.at + PCAPNG_SECTION_START_SIZE);
    this.turn(reader.bytes.subarray(reader.at, start));
    const at = reader.at;
    if (!scanPcapngBlockStart(reader, this.littleEndian)) {
      reader.at = at;
      const fault = reader.fault as Fault;
      if (fault.code !== "truncated") return this.lose(under("block", fault));
      return this.ended ? this.cut(reader, PCAPNG_BLOCK_START_SIZE, had) : PCAPNG_SECTION_START_SIZE;
    }
    reader.at = at;
    const { type, length } = readPcapngBlockStart(reader, this.littleEndian);
    reader.at = at;
    // Twelve bytes tell the byte order of a section: only with all of them is its length what it seems.
    if (had < PCAPNG_SECTION_START_SIZE) {
      return this.ended ? this.cut(reader, length, had) : PCAPNG_SECTION_START_SIZE;
    }
    if (this.section < 0 && type !== PcapngBlockType.PCAPNG_SECTION_HEADER) {
      return this.lose(fault("tag", "block.type", reader.base + at, "no section header comes before it"));
    }
    if (!NEEDED.has(type) || length > MAX_BLOCK) {
      if (NEEDED.has(type)) {
        this.handler.fault(
          fault("limit", "block.length", reader.base + at, `${length} bytes, the cap is ${MAX_BLOCK}`),
        );
      }
      this.skip = length;
      return 0;
    }
    if (had < length) return this.ended ? this.cut(reader, length, had) : length;
    this.block(reader, length);
    reader.at = at + length;
    return 0;
  }

  /** A section header is sound in one byte order only, and that is the order from there on. */
  private turn(start: Uint8Array): void {
    for (const littleEndian of [true, false]) {
      if (checkPcapngSectionStart(start, littleEndian) === undefined) this.littleEndian = littleEndian;
    }
  }

  private block(reader: Reader, length: number): void {
    const at = reader.base + reader.at;
    const inner = new Reader(reader.bytes.subarray(reader.at, reader.at + length), { base: at });
    if (!scanPcapngBlock(inner, this.littleEndian)) {
      this.handler.fault(under("block", inner.fault as Fault));
      return;
    }
    inner.at = 0;
    this.take(readPcapngBlock(inner, this.littleEndian).body, at);
  }

  private take(body: PcapngBlockBody, at: number): void {
    switch (body.case) {
      case "section":
        this.section++;
        this.interfaces = [];
        break;
      case "interface":
        this.addInterface(body.value, at);
        break;
      case "packet":
        this.packet(body.value, at);
        break;
      case "simplePacket": {
        const { data, originalLength } = body.value;
        const limit = this.interfaces[0]?.snapLength || data.length;
        this.report(0, at, data.subarray(0, Math.min(originalLength, limit)), originalLength, {});
        break;
      }
      default:
    }
  }

  private addInterface({ linkType, snapLength, options }: PcapngInterfaceDescription, at: number): void {
    if (this.interfaceCount === MAX_INTERFACES) {
      this.handler.fault(fault("limit", "block", at, `more than ${MAX_INTERFACES} interfaces`));
      return;
    }
    this.interfaceCount++;
    const [name] = values(options, PcapngInterfaceOption.IF_NAME);
    const [resolution] = values(options, PcapngInterfaceOption.IF_TSRESOL);
    const [offset] = values(options, PcapngInterfaceOption.IF_TSOFFSET);
    this.interfaces.push({
      section: this.section,
      index: this.interfaces.length,
      linkType,
      name: name && this.decoder.decode(name),
      snapLength,
      resolution: unitsPerSecond(resolution?.[0]),
      offset:
        offset?.length === PCAPNG_TIME_OFFSET_SIZE
          ? Number(decodePcapngTimeOffset(offset, this.littleEndian).seconds)
          : 0,
    });
  }

  private packet(packet: PcapngEnhancedPacket, at: number): void {
    const { interfaceId, timestampHigh, timestampLow, data, originalLength, options } = packet;
    const { resolution, offset } = this.interfaces[interfaceId] ?? { resolution: 1, offset: 0 };
    const [flags] = values(options, PcapngPacketOption.EPB_FLAGS);
    this.report(interfaceId, at, data, originalLength, {
      time: offset + (timestampHigh * 2 ** 32 + timestampLow) / resolution,
      direction: flags?.length === PCAPNG_PACKET_FLAGS_SIZE ? this.direction(flags) : undefined,
      comments: values(options, PcapngOptionCode.OPT_COMMENT).map((text) => this.decoder.decode(text)),
    });
  }

  private report(
    interfaceId: number,
    at: number,
    data: Uint8Array,
    originalSize: number,
    rest: Partial<Pick<PcapngPacket, "time" | "direction" | "comments">>,
  ): void {
    const known = this.interfaces[interfaceId];
    if (known === undefined) {
      this.handler.fault(
        fault("constraint", "block.interface_id", at, `there is no interface ${interfaceId}`),
      );
      return;
    }
    const { time, direction, comments = [] } = rest;
    this.handler.packet({ interface: known, at, direction, time, comments, data, originalSize });
  }

  private direction(flags: Uint8Array): PcapngPacket["direction"] {
    const { direction } = readPcapngPacketFlags(new Reader(flags), this.littleEndian);
    if (direction === PcapngDirection.PCAPNG_INBOUND) return "inbound";
    return direction === PcapngDirection.PCAPNG_OUTBOUND ? "outbound" : undefined;
  }

  /** Without a length that makes sense, nothing behind it can be found. */
  private lose(what: Fault): number {
    this.handler.fault(what);
    this.isLost = true;
    return 0;
  }

  private cut(reader: Reader, need: number, had: number): number {
    const at = reader.base + reader.at;
    this.handler.fault(fault("truncated", "block", at, undefined, need, had));
    this.isLost = true;
    reader.at = reader.end;
    return 1;
  }
}

const NEEDED: ReadonlySet<number> = new Set([
  PcapngBlockType.PCAPNG_SECTION_HEADER,
  PcapngBlockType.PCAPNG_INTERFACE_DESCRIPTION,
  PcapngBlockType.PCAPNG_SIMPLE_PACKET,
  PcapngBlockType.PCAPNG_ENHANCED_PACKET,
]);

/** The options of that code, up to the end mark. */
function values(options: readonly PcapngOption[], wanted: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const { code, value } of options) {
    if (code === PcapngOptionCode.OPT_ENDOFOPT) break;
    if (code === wanted) found.push(value);
  }
  return found;
}

/** Microseconds where nothing is said. */
function unitsPerSecond(resolution = 6): number {
  return resolution < 0x80 ? 10 ** resolution : 2 ** (resolution - 0x80);
}

function fault(
  code: Fault["code"],
  path: string,
  at: number,
  detail: string | undefined,
  need?: number,
  had?: number,
): Fault {
  return streamFault("capture/pcapng.wire", code, path, at, detail, need, had);
}
