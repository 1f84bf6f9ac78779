import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gratuitousArpFrame, rarpFrame } from "../../../src/device/devices/announcement.js";
import { Hub } from "../../../src/device/devices/link.js";
import { Responder } from "../../../src/device/devices/responder.js";
import { seed } from "../../properties/drawn.js";
import { arp, GUEST_ADDRESS, GUEST_MAC, HOST_ADDRESS, HOST_MAC, ping, pong } from "./frames.js";

const NOBODY = new Uint8Array(6);

function ask(frame: Uint8Array, responder = new Responder({ address: HOST_ADDRESS, mac: HOST_MAC })) {
  const answers: Uint8Array[] = [];
  const port = responder.attach({ receive: (bytes, length) => answers.push(bytes.slice(0, length)) });
  const before = frame.slice();
  port.receive(frame, frame.length);
  expect(frame).toEqual(before);
  return { answers, responder };
}

describe("the responder", () => {
  it.each([
    ["an echo request", ping(), pong()],
    ["one without data", ping({ data: [] }), pong({ data: [] })],
    [
      "one with IPv4 options",
      ping({ options: [1, 1, 1, 0, 1, 1, 1, 0] }),
      pong({ options: [1, 1, 1, 0, 1, 1, 1, 0] }),
    ],
    ["one in a VLAN", ping({ vlan: 7 }), pong({ vlan: 7 })],
    ["the largest", ping({ data: new Array(65507).fill(0xff) }), pong({ data: new Array(65507).fill(0xff) })],
  ])("answers %s", (_, request, reply) => {
    expect(ask(request).answers).toEqual([reply]);
  });

  it("answers with the right checksum whatever the data", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 64 }),
        fc.nat(0xffff),
        (data, sequence) => {
          expect(ask(ping({ data, sequence })).answers).toEqual([pong({ data, sequence })]);
        },
      ),
      { seed },
    );
  });

  it("answers a message that was damaged on its way with one that shows it", () => {
    const request = ping({ data: [1, 2, 3, 4] });
    request.set([9], request.length - 1);
    const [reply] = ask(request).answers;
    const right = pong({ data: [1, 2, 3, 9] });
    expect(reply?.subarray(38)).toEqual(right.subarray(38));
    expect(reply?.subarray(36, 38)).not.toEqual(right.subarray(36, 38));
  });

  it.each([
    ["an echo reply", pong({ to: HOST_MAC, destination: HOST_ADDRESS })],
    ["a request for another address", ping({ destination: HOST_ADDRESS + 1 })],
    ["a request for another host", ping({ to: GUEST_MAC })],
    ["a fragment", ping({ fragment: 0x2000 })],
    ["the end of a fragmented message", ping({ fragment: 1 })],
    ["a frame that is cut in its IPv4 header", ping().subarray(0, 30)],
    ["a frame that is cut in its message", ping().subarray(0, 60)],
    ["a frame that is cut in its tag", ping({ vlan: 7 }).subarray(0, 16)],
    ["no bytes", new Uint8Array(0)],
    ["an ARP reply", arp(2, [GUEST_MAC, GUEST_ADDRESS], [HOST_MAC, HOST_ADDRESS])],
    ["an ARP request for another address", arp(1, [GUEST_MAC, GUEST_ADDRESS], [NOBODY, 7])],
    ["an ARP request that is cut", arp(1, [GUEST_MAC, GUEST_ADDRESS], [NOBODY, 7]).subarray(0, 41)],
  ])("leaves %s", (_, frame) => {
    expect(ask(frame).answers).toEqual([]);
  });

  it("leaves an IPv4 header whose checksum is wrong, or that claims more than there is", () => {
    for (const [at, value] of [
      [24, 0],
      [14, 0x4f],
      [14, 0x44],
      [14, 0x65],
      [16, 0xff],
    ] as const) {
      const frame = ping();
      frame[at] = value;
      expect(ask(frame).answers).toEqual([]);
    }
  });

  it("tells its address", () => {
    const request = arp(1, [GUEST_MAC, GUEST_ADDRESS], [NOBODY, HOST_ADDRESS]);
    const reply = arp(2, [HOST_MAC, HOST_ADDRESS], [GUEST_MAC, GUEST_ADDRESS], { to: GUEST_MAC });
    const { answers, responder } = ask(request);
    expect(answers).toEqual([reply]);
    expect(responder.resolved).toBe(1);
  });

  it("counts guests that announce themselves", () => {
    const { responder } = ask(rarpFrame(GUEST_MAC));
    expect(ask(gratuitousArpFrame(GUEST_MAC, GUEST_ADDRESS), responder).answers).toEqual([]);
    expect(responder.announcements).toBe(2);
  });

  it("never fails on bytes of any kind", () => {
    const frame = ping();
    fc.assert(
      fc.property(
        fc.nat(frame.length),
        fc.array(fc.tuple(fc.nat(frame.length - 1), fc.nat(255)), { maxLength: 4 }),
        (length, changes) => {
          const damaged = frame.slice(0, length);
          for (const [at, value] of changes) if (at < length) damaged[at] = value;
          expect(ask(damaged).answers.length).toBeLessThanOrEqual(1);
        },
      ),
      { seed },
    );
  });
});

describe("announcements", () => {
  it("are what QEMU's announce_self_create makes", () => {
    expect(rarpFrame(GUEST_MAC)).toEqual(arp(3, [GUEST_MAC, 0], [GUEST_MAC, 0], { type: 0x8035 }));
  });

  it("of a guest are gratuitous ARP requests", () => {
    const frame = gratuitousArpFrame(GUEST_MAC, GUEST_ADDRESS);
    expect(frame).toEqual(arp(1, [GUEST_MAC, GUEST_ADDRESS], [NOBODY, GUEST_ADDRESS]));
  });
});

describe("a hub", () => {
  it("repeats to all other ports, until they are unplugged", () => {
    const hub = new Hub();
    const heard: string[] = [];
    const plug = (name: string) => {
      const port = { receive: (_: Uint8Array, length: number) => heard.push(`${name} ${length}`) };
      return { port, out: hub.attach(port) };
    };
    const a = plug("a");
    const b = plug("b");
    plug("c");
    a.out.receive(ping(), 60);
    hub.detach(b.port);
    a.out.receive(ping(), 61);
    expect(heard).toEqual(["b 60", "c 60", "c 61"]);
  });

  it("lets all hear the same, also when one of them answers at once", () => {
    const hub = new Hub();
    hub.connect(new Responder({ address: HOST_ADDRESS, mac: HOST_MAC }));
    const [first, second] = [ping({ sequence: 1 }), ping({ sequence: 2 })];
    const heard: Uint8Array[] = [];
    // Sends the second ping while the answer to the first one is on its way to the others.
    const eager = hub.attach({
      receive: (bytes, length) => {
        if (bytes[length - 1] === pong({ sequence: 1 }).at(-1) && heard.length === 0) {
          heard.push(bytes.slice(0, length));
          eager.receive(second, second.length);
        }
      },
    });
    const others: Uint8Array[] = [];
    hub.attach({ receive: (bytes, length) => others.push(bytes.slice(0, length)) });
    eager.receive(first, first.length);
    expect(heard).toEqual([pong({ sequence: 1 })]);
    expect(others).toHaveLength(4);
    for (const frame of [first, second, pong({ sequence: 1 }), pong({ sequence: 2 })]) {
      expect(others).toContainEqual(frame);
    }
  });

  it("connects a responder, whose answers all hear", () => {
    const hub = new Hub();
    hub.connect(new Responder({ address: HOST_ADDRESS, mac: HOST_MAC }));
    const heard: Uint8Array[] = [];
    const out = hub.attach({ receive: (bytes, length) => heard.push(bytes.slice(0, length)) });
    out.receive(ping(), ping().length);
    expect(heard).toEqual([pong()]);
  });
});
