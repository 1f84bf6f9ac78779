import { describe, expect, it } from "vitest";
import { VdpaControl, VdpaError } from "../../../src/device/drivers/vdpa-control.js";
import { DraftV2Profile } from "../../../src/device/owner/draft-v2.js";
import { guestOn, host, moveGuest } from "../owner/bench.js";

/** linux/vhost_types.h: VHOST_BACKEND_F_SUSPEND is bit 4, VHOST_BACKEND_F_RESUME bit 5. */
const SUSPEND = 1n << 4n;
const RESUME = 1n << 5n;

function scene(agreed = SUSPEND | RESUME) {
  const one = host(new DraftV2Profile(), { depth: 4, deferred: true });
  const vdpa = new VdpaControl(one.member);
  vdpa.setBackendFeatures(agreed);
  return { ...one, vdpa };
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return error instanceof VdpaError ? error.code : String(error);
  }
  return undefined;
}

describe("a device under vhost-vdpa", () => {
  it("agrees on what it offers, and on nothing else", () => {
    const { vdpa } = scene(0n);
    expect(codeOf(() => vdpa.setBackendFeatures(SUSPEND | (1n << 6n)))).toBe("EOPNOTSUPP");
    for (const act of [() => vdpa.suspend(), () => vdpa.resume()]) expect(codeOf(act)).toBe("EOPNOTSUPP");
    vdpa.setBackendFeatures(SUSPEND);
    expect(codeOf(() => vdpa.suspend())).toBeUndefined();
    expect(codeOf(() => vdpa.resume())).toBe("EOPNOTSUPP");
  });

  it("has nothing to suspend before its driver is ready", () => {
    const { vdpa, member } = scene();
    vdpa.suspend();
    expect([vdpa.isSuspended, member.mode]).toEqual([false, "active"]);
  });

  it("is still and has nothing in flight when it is suspended, and goes on from there", () => {
    const { vdpa, member, ...one } = scene();
    const guest = guestOn({ ...one, member });
    for (let i = 0; i < 3; i++) guest.readSectors(i, 1);
    member.run(undefined, 2);
    expect(codeOf(() => vdpa.vringBase(0))).toBe("EINVAL");
    vdpa.suspend();
    expect(vdpa.vringBase(0)).toMatchObject({ available: 2, used: 2 });
    expect(codeOf(() => vdpa.vringBase(1))).toBe("EINVAL");
    const before = member.save();
    guest.readSectors(3, 1);
    member.run();
    expect(member.save()).toEqual(before);
    vdpa.resume();
    member.run();
    const answers = Array.from({ length: 5 }, () => guest.poll()?.status);
    expect(answers).toEqual([0, 0, 0, 0, undefined]);
  });

  it("goes on elsewhere with the bases that were read", () => {
    const from = scene();
    const guest = guestOn(from);
    guest.writeSectors(1, new Uint8Array(512).fill(5));
    from.member.run();
    from.vdpa.suspend();
    const to = scene();
    const state = from.member.save();
    const queues = state.queues.map((queue, index) => ({ ...queue, standing: from.vdpa.vringBase(index) }));
    moveGuest(guest, from, to);
    to.member.restore({ ...state, queues });
    guest.readSectors(1, 1);
    to.member.run();
    expect([guest.poll()?.status, guest.poll()?.status]).toEqual([0, 0]);
  });

  it("is no longer suspended after a reset", () => {
    const { vdpa, member, ...one } = scene();
    guestOn({ ...one, member });
    vdpa.suspend();
    vdpa.reset();
    expect([vdpa.isSuspended, member.mode, member.status]).toEqual([false, "active", 0]);
  });
});
