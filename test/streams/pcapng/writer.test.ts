import { describe, expect, it } from "vitest";
import { PcapngLinkType } from "../../../generated/capture/pcapng.js";
import { type PcapngPacket, PcapngParser } from "../../../src/streams/pcapng/packets.js";
import { PcapngWriter } from "../../../src/streams/pcapng/writer.js";
import { le } from "../wire-bytes.js";

function written(use: (writer: PcapngWriter) => void): Uint8Array {
  const blocks: number[] = [];
  use(new PcapngWriter((bytes) => blocks.push(...bytes)));
  return Uint8Array.from(blocks);
}

describe("a pcapng file", () => {
  it("is laid out as the draft says, byte for byte", () => {
    const bytes = written((writer) => {
      const id = writer.addInterface(PcapngLinkType.LINKTYPE_USER0, "net0");
      writer.packet(id, Uint8Array.of(1, 2, 3, 4, 5), {
        time: (7n << 32n) + 9n,
        direction: "outbound",
        comment: "fds=1",
      });
    });
    // draft-ietf-opsawg-pcapng, figures of the three blocks and of options.
    const options = [
      ...le(2, 2),
      ...le(2, 4),
      ...le(4, 2),
      ...le(2, 1),
      ...le(2, 5),
      ...text("fds=1"),
      0,
      0,
      0,
    ];
    expect([...bytes]).toEqual([
      ...[...le(4, 0x0a0d0d0a), ...le(4, 28), ...le(4, 0x1a2b3c4d), ...le(2, 1), ...le(2, 0)],
      ...[...le(8, -1n), ...le(4, 28)],
      ...[...le(4, 1), ...le(4, 40), ...le(2, 147), 0, 0, ...le(4, 0)],
      ...[...le(2, 2), ...le(2, 4), ...text("net0"), ...le(2, 9), ...le(2, 1), 9, 0, 0, 0],
      ...[...le(4, 0), ...le(4, 40)],
      ...[...le(4, 6), ...le(4, 64), ...le(4, 0), ...le(4, 7), ...le(4, 9), ...le(4, 5), ...le(4, 5)],
      ...[1, 2, 3, 4, 5, 0, 0, 0, ...options, ...le(4, 0), ...le(4, 64)],
    ]);
  });

  it("is read back with every packet as it was given", () => {
    const time = 1_795_188_000_123_456_789n;
    const bytes = written((writer) => {
      const a = writer.addInterface(PcapngLinkType.LINKTYPE_ETHERNET, "a");
      writer.packet(a, new Uint8Array(0), { time });
      const b = writer.addInterface(PcapngLinkType.LINKTYPE_USER0, "b: ümlaut");
      for (let size = 1; size < 9; size++) {
        writer.packet(b, new Uint8Array(size).fill(size), {
          time,
          direction: "inbound",
          comment: "x".repeat(size),
        });
      }
    });
    const packets: PcapngPacket[] = [];
    const parser = new PcapngParser({
      packet: (packet) => packets.push({ ...packet, data: packet.data.slice() }),
      fault: (fault) => expect.fail(fault.code),
    });
    parser.push(bytes);
    parser.end();
    expect(
      packets.map((one) => [one.interface.name, one.direction, one.data.length, ...one.comments]),
    ).toEqual([
      ["a", undefined, 0],
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((size) => ["b: ümlaut", "inbound", size, "x".repeat(size)]),
    ]);
    expect(packets[0]?.time).toBeCloseTo(Number(time) / 1e9, 6);
  });
});

function text(value: string): number[] {
  return [...new TextEncoder().encode(value)];
}
