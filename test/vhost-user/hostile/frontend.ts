/**
 * A front-end that means no good: it says what a front-end says, and now and then something else. The same seed says the
 * same. What the device answers it does not care about.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { openSystem, SystemCallError } from "../../../src/vhost-user/index.js";
import type { Draw } from "./draw.js";
import { HostileTalk } from "./talk.js";

/** In the file before and behind the region that is shared: nobody may ever read or write it. */
export const CANARY: Buffer = Buffer.from("nobody's business ");

const PAGE = 4096;
const REGION_PAGES = 64;
const QUEUES = 4;

/** Whether the memory outside of the shared region is as it was, and the device is there at all. */
export async function hostileSession(path: string, protocolFeatures: bigint, draw: Draw): Promise<boolean> {
  const keeper = await openSystem();
  const length = PAGE * (REGION_PAGES + 2);
  const descriptor = keeper.memfd("hostile", length);
  const { bytes } = keeper.map(descriptor, 0, length);
  const outside = [bytes.subarray(0, PAGE), bytes.subarray(length - PAGE)];
  const expected = Buffer.alloc(PAGE, CANARY);
  for (const page of outside) page.set(expected);
  const shared = new DataView(bytes.buffer, bytes.byteOffset + PAGE, REGION_PAGES * PAGE);

  const system = await openSystem();
  const talk = new HostileTalk(system, system.connect(path), draw, {
    descriptor,
    shared,
    offset: PAGE,
    protocolFeatures,
  });
  try {
    talk.begin();
    for (let index = 0; index < QUEUES; index++) talk.startRing(index);
    for (let round = draw.below(5); round > 0; round--) {
      await disturb(talk, draw);
      for (let more = draw.below(8); more > 0; more--) talk.sayAnything();
    }
    // The end comes in the middle of a message.
    if (draw.once(3)) talk.sayNoise();
  } catch (error) {
    // The device has had enough, or does not read: that is its right.
    if (!(error instanceof SystemCallError)) throw error;
  }
  // What was asked for last is under way when the connection ends.
  if (draw.once(2)) await sleep(1 + draw.below(5));
  system.close();
  const isUntouched = outside.every((page) => expected.equals(page));
  keeper.close();
  return isUntouched;
}

/** Rings change while the device reads them, and are kicked all the time. */
async function disturb(talk: HostileTalk, draw: Draw): Promise<void> {
  for (let step = 0; step < 3; step++) {
    const index = draw.below(QUEUES);
    talk.scribble(index);
    for (let i = 0; i < 200; i++) {
      talk.change(index);
      if (i % 20 === 0) talk.kick(index);
    }
    await sleep(0);
  }
}
