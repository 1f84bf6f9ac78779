/** The network device on a real socket: frames byte by byte from the RFCs, there and back. */
import { expect, it } from "vitest";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { Hub, NetDevice, Responder } from "../../../src/device/index.js";
import { GUEST_MAC, HOST_ADDRESS, HOST_MAC, ping } from "../../device/devices/frames.js";
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
    const { bus, net, next } = await netGuest(await connect(), 1, without);
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

  it("serves two pairs of virtqueues, and answers where it was asked", async () => {
    const { type } = network(2);
    const { connect } = await serve(type);
    const frontend = await connect();
    expect(frontend.queueCount).toBe(2);
    expect(type.queueSizes).toHaveLength(4);
  });

  it("announces the address that the front-end names", async () => {
    const { type, responder } = network(1);
    const { connect, events } = await serve(type);
    await (await connect()).sendRarp(GUEST_MAC);
    expect(events).toContainEqual({ kind: "announced", mac: GUEST_MAC });
    expect(responder.announcements).toBe(1);
  });
});
