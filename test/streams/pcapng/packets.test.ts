import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodePcapngBlock, encodePcapngBlock } from "../../../generated/capture/pcapng.js";
import { type PcapngPacket, PcapngParser } from "../../../src/streams/pcapng/packets.js";
import { be, bytes, le } from "../wire-bytes.js";

/** Written by text2pcap and editcap: see test/captures/README.md. */
const written = new Uint8Array(
  readFileSync(new URL("../../captures/vhost-user-qsd.pcapng", import.meta.url)),
);

type Order = typeof le;

function section(order: Order): number[] {
  return [
    ...order(4, 0x0a0d0d0a),
    ...order(4, 28),
    ...order(4, 0x1a2b3c4d),
    ...order(2, 1),
    ...order(2, 0),
    ...order(8, -1n),
    ...order(4, 28),
  ];
}

function block(order: Order, type: number, body: readonly number[]): number[] {
  const size = order(4, body.length + 12);
  return [...order(4, type), ...size, ...body, ...size];
}

function option(order: Order, code: number, value: readonly number[]): number[] {
  return [
    ...order(2, code),
    ...order(2, value.length),
    ...value,
    ...Array<number>(-value.length & 3).fill(0),
  ];
}

/** Link type USER0, then its options. */
function user0(order: Order, ...options: number[][]): number[] {
  return block(order, 1, [...order(2, 147), 0, 0, ...order(4, 0), ...options.flat()]);
}

function packet(order: Order, time: number, data: readonly number[], ...options: number[][]): number[] {
  const head = [0, Math.floor(time / 2 ** 32), time % 2 ** 32, data.length, data.length];
  const padded = [...data, ...Array<number>(-data.length & 3).fill(0)];
  return block(order, 6, [...head.flatMap((word) => order(4, word)), ...padded, ...options.flat()]);
}

interface Result {
  readonly packets: (Omit<PcapngPacket, "data"> & { readonly data: readonly number[] })[];
  readonly faults: string[];
}

function read(input: Uint8Array, chunk: number = input.length): Result {
  const result: Result = { packets: [], faults: [] };
  const parser = new PcapngParser({
    packet: (found) => result.packets.push({ ...found, data: [...found.data] }),
    fault: ({ code, path, offset }) => result.faults.push(`${code} ${path} ${offset}`),
  });
  for (let at = 0; at < input.length; at += chunk) {
    const lent = input.slice(at, at + chunk);
    parser.push(lent);
    lent.fill(0xee);
  }
  parser.end();
  return result;
}

describe("packets of a pcapng file", () => {
  it("are read as Wireshark's tools wrote them, and encode to the same bytes", () => {
    const { packets, faults } = read(written);
    expect(faults).toEqual([]);
    expect(packets).toHaveLength(107);
    // tshark -T fields -e frame.time_epoch -e frame.p2p_dir -e frame.comment of the 42nd packet, but for the date
    expect(packets[41]).toMatchObject({
      interface: { section: 0, index: 0, linkType: 147, name: "vhost-user-blk" },
      direction: "outbound",
      comments: ["fds=1"],
      originalSize: 52,
    });
    expect((packets[41]?.time ?? 0) % 1).toBeCloseTo(0.052928, 6);
    for (let at = 0; at < written.length; ) {
      const size = written[at + 4] as number;
      const whole = written.subarray(at, at + size);
      expect(encodePcapngBlock(decodePcapngBlock(whole, true), true)).toEqual(whole);
      at += size;
    }
  });

  it.each([1, 7, 1024])("are the same from chunks of %i bytes", (chunk) => {
    expect(read(written, chunk)).toEqual(read(written));
  });

  it.each([
    ["little", le],
    ["big", be],
  ] as const)("are read in %s-endian sections", (_, order) => {
    const name = option(order, 2, [...bytes("s0")]);
    // Milliseconds, an hour ahead.
    const units = [option(order, 9, [3]), option(order, 14, order(8, 3600))];
    const flags = option(order, 2, order(4, 0x0001_0001));
    const file = bytes(
      section(order),
      user0(order, name, ...units, option(order, 0, [])),
      block(order, 0xbad, [1, 2, 3, 4]),
      packet(order, 1500, [1, 2, 3], flags, option(order, 1, [...bytes("fds=2")])),
      block(order, 3, [...order(4, 2), 9, 8, 0, 0]),
    );
    for (const chunk of [1, file.length]) {
      const { packets, faults } = read(file, chunk);
      expect(faults).toEqual([]);
      expect(packets).toMatchObject([
        {
          interface: { name: "s0" },
          direction: "inbound",
          time: 3601.5,
          comments: ["fds=2"],
          data: [1, 2, 3],
        },
        { interface: { name: "s0" }, data: [9, 8], originalSize: 2 },
      ]);
    }
  });

  it("number the interfaces of each section anew, whatever its byte order", () => {
    const file = bytes(
      [...section(le), ...user0(le), ...packet(le, 0, [1])],
      [...section(be), ...user0(be), ...user0(be), ...packet(be, 0, [2])],
    );
    const { packets, faults } = read(file, 5);
    expect(faults).toEqual([]);
    expect(packets.map(({ interface: { section: at, index }, data }) => [at, index, ...data])).toEqual([
      [0, 0, 1],
      [1, 0, 2],
    ]);
  });

  it("are missed where a block is cut, and only there", () => {
    const starts = new Set<number>();
    for (let at = 0; at < written.length; at += written[at + 4] as number) starts.add(at);
    const last = 600;
    for (let end = 1; end < last; end++) {
      const { faults } = read(written.subarray(0, end));
      const within = Math.max(...[...starts].filter((at) => at < end));
      expect(faults).toEqual(starts.has(end) ? [] : [`truncated block ${within}`]);
    }
  });

  it("are read behind a block that cannot be", () => {
    const damaged = packet(le, 0, [1]);
    damaged[20] = 99; // captured_length
    const unknown = packet(le, 0, [2]);
    unknown[8] = 7; // interface_id
    const file = bytes(section(le), user0(le), damaged, unknown, packet(le, 0, [3]));
    const { packets, faults } = read(file);
    expect(packets.map(({ data }) => data)).toEqual([[3]]);
    expect(faults).toEqual([
      expect.stringMatching(/^overrun block\.packet\.data /),
      expect.stringMatching(/^constraint block\.interface_id /),
    ]);
  });

  it("end at a length that no block has, and take no memory for a large one", () => {
    const odd = packet(le, 0, [1]);
    odd[4] = 33;
    expect(read(bytes(section(le), user0(le), odd, packet(le, 0, [2]))).faults).toEqual([
      "constraint block.length 52",
    ]);
    const huge = packet(le, 0, [1]);
    huge.splice(4, 4, ...le(4, 0xffff_fff0));
    expect(read(bytes(section(le), user0(le), huge)).faults).toEqual([
      expect.stringMatching(/^limit block\.length 48/),
      expect.stringMatching(/^truncated block /),
    ]);
    expect(read(bytes(packet(le, 0, [1]))).faults).toEqual(["tag block.type 0"]);
  });
});
