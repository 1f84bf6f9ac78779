/** The network device on a real socket: frames byte by byte from the RFCs, there and back. */
import { expect, it } from "vitest";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { Hub, NetDevice, Responder } from "../../../src/device/index.js";
import { GUEST_ADDRESS, GUEST_MAC, HOST_ADDRESS, HOST_MAC, ping } from "../../device/devices/frames.js";
import { describeHere } from "../here.js";
import { netGuest, PACKED, serve } from "./guest.js";

const { VIRTIO_F_EVENT_IDX } = VirtioFeature;
const PINGS = 500;

function network(pairs: number): { readonly type: NetDevice; readonly responder: Responder } {
  const hub = new Hub();
  const responder = new Responder({ address: HOST_ADDRESS, mac: HOST_MAC });
  hub.connect(responder);
  return { type: new NetDevice({ mac: GUEST_MAC, link: hub, pairs, withoutControl: true }), responder };
}

describeHere("a network device behind vhost-user", () => {
  it.each([
    ["split virtqueues", PACKED],
    ["packed virtqueues", 0n],
    ["split virtqueues without event indices", PACKED | VIRTIO_F_EVENT_IDX],
    ["packed virtqueues without event indices", VIRTIO_F_EVENT_IDX],
  ])("answers every ping once, in order, with %s", async (_, without) => {
    const { type, responder } = network(1);
    const { connect } = await serve(type);
    const { bus, net, next } = await netGuest(await connect(), type, without);
    let sent = 0;
    for (let answered = 0; answered < PINGS; answered++) {
      // More of them than there are receive buffers are under way at once.
      while (sent < PINGS && sent < answered + 24 && net.send(ping({ sequence: sent }))) sent++;
      const expected = ping({
        sequence: answered,
        type: 0,
        to: GUEST_MAC,
        from: HOST_MAC,
        source: 0x0a000001,
        destination: 0x0a000002,
      });
      expect(Buffer.from(await next()).equals(expected)).toBe(true);
    }
    expect(responder.echoes).toBe(PINGS);
    expect(type.dropped).toBe(0);
    await bus.stop();
  });

  it.each([
    ["split", PACKED],
    ["packed", 0n],
  ])("serves two pairs of %s virtqueues, and answers where it was asked", async (_, without) => {
    const { type } = network(2);
    const { connect } = await serve(type);
    const frontend = await connect();
    expect(frontend.queueCount).toBe(2);
    const { bus, net } = await netGuest(frontend, type, without);
    for (let sequence = 0; sequence < 100; sequence++) {
      const pair = sequence % 2;
      // A flow of its own for each pair.
      expect(net.send(ping({ sequence, source: GUEST_ADDRESS + pair }), pair)).toBe(true);
      const receiving = net.driver.queues.slice(2 * pair, 2 * pair + 1);
      const answer = await bus.next(receiving, () => net.pollPair(pair));
      const [from, to] = [HOST_ADDRESS, GUEST_ADDRESS + pair];
      const expected = ping({
        sequence,
        type: 0,
        to: GUEST_MAC,
        from: HOST_MAC,
        source: from,
        destination: to,
      });
      expect(Buffer.from(answer).equals(expected)).toBe(true);
    }
    expect(net.pollPair(0) ?? net.pollPair(1)).toBeUndefined();
  });

  it("goes from one socket to another, over the hub", async () => {
    const hub = new Hub();
    const [a, b] = [1, 2].map(
      (last) => new NetDevice({ mac: Uint8Array.of(2, 0, 0, 0, 0, last), link: hub, withoutControl: true }),
    );
    if (a === undefined || b === undefined) throw new Error("no devices");
    const [left, right] = [await serve(a), await serve(b)];
    const from = await netGuest(await left.connect(), a, PACKED);
    const to = await netGuest(await right.connect(), b, 0n);
    const frame = ping({ to: b.mac, from: a.mac });
    for (let i = 0; i < 20; i++) {
      expect(from.net.send(frame)).toBe(true);
      expect(Buffer.from(await to.next()).equals(frame)).toBe(true);
    }
  });

  it("announces the address that the front-end names", async () => {
    const { type, responder } = network(1);
    const { connect, events } = await serve(type);
    await (await connect()).sendRarp(GUEST_MAC);
    expect(events).toContainEqual({ kind: "announced", mac: GUEST_MAC });
    expect(responder.announcements).toBe(1);
  });
});
