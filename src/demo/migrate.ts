/** A guest under load moves from one host to another over a socket, and goes on there. */
import { setImmediate } from "node:timers/promises";
import { VIRTIO_BLK_SECTOR_SIZE } from "../../generated/virtio/blk.js";
import {
  type MigrationEvent,
  ObservedLog,
  receiveGuest,
  type Sent,
  sendGuest,
  withinDowntime,
} from "../device/index.js";
import { connectHosts, type Recorder } from "./connection.js";
import { DemoGuest, type Work } from "./guest.js";
import { DemoHost, type Format } from "./host.js";

const SECTORS = 4096;
/** Turns before and after the migration. */
const WARM_UP = 200;
/** Turns between two looks at the connection. */
const TURNS = 16;
/** Pieces of work that a device does in a turn: fewer than the guest finds for it, so that some are in flight. */
const BUDGET = 3;
/** Turns in which whatever is in flight is answered. */
const DRAIN = 10_000;

export interface DemoOptions {
  readonly format: Format;
  /** The guest's, in bytes. */
  readonly memory: number;
  /** So long the guest may stand still, in ms. */
  readonly downtime: number;
  readonly onEvent: (event: MigrationEvent) => void;
  readonly signal: AbortSignal;
  readonly record?: Recorder | undefined;
}

export interface MemberState {
  /** `VirtioDeviceId` */
  readonly device: number;
  /** The state that counted, as it went over the connection. */
  readonly bytes: Uint8Array;
}

export interface DemoResult {
  readonly sent: Sent;
  readonly states: readonly MemberState[];
  /** What the guest had done when it was stopped, and at the end. */
  readonly before: Work;
  readonly after: Work;
}

/** @throws MigrationError when it is given up; the guest has gone on at the source then, and lost nothing. */
export async function migrateDemo(options: DemoOptions): Promise<DemoResult> {
  const disk = new Uint8Array(SECTORS * VIRTIO_BLK_SECTOR_SIZE);
  const [from, to] = [
    new DemoHost(options.format, options.memory, disk),
    new DemoHost(options.format, options.memory, disk),
  ];
  const guest = new DemoGuest(from, SECTORS);
  const world = new World(guest, [from, to]);
  for (let turn = 0; turn < WARM_UP; turn++) world.turn();
  const connection = await connectHosts(options.record);
  let before = guest.work;
  const states = new StateKeeper();
  try {
    world.begin();
    const [sent] = await bothOrNeither(
      sendGuest({
        channel: connection.source,
        memory: from.memory,
        members: from.sources(),
        processors: {
          writes: new ObservedLog(from.memory),
          stop: () => {
            world.guestRuns = false;
            before = guest.work;
          },
          resume: () => {
            world.guestRuns = true;
          },
        },
        switchover: withinDowntime(options.downtime),
        onEvent: (event) => {
          states.take(event);
          options.onEvent(event);
        },
        signal: options.signal,
      }),
      receiveGuest({
        channel: connection.destination,
        memory: to.memory,
        members: to.destinations(),
        processors: {
          resume: () => {
            guest.attach(to);
            world.guestRuns = true;
          },
        },
      }),
    );
    for (let turn = 0; turn < WARM_UP; turn++) world.turn();
    return {
      sent,
      states: to.members.map(({ type }, index) => ({ device: type.id, bytes: states.of(index) })),
      before,
      after: world.finish(),
    };
  } catch (error) {
    world.finish();
    throw error;
  } finally {
    await world.end();
    connection.close();
  }
}

/** Both sides come to an end before either's failure is told: the source's, which knows most. */
async function bothOrNeither<A, B>(source: Promise<A>, destination: Promise<B>): Promise<[A, B]> {
  const [sent, taken] = await Promise.allSettled([source, destination]);
  if (sent.status === "rejected") throw sent.reason;
  if (taken.status === "rejected") throw taken.reason;
  return [sent.value, taken.value];
}

/** Time goes on in turns, of the guest and of the devices, while bytes travel. */
class World {
  guestRuns = true;
  private readonly guest: DemoGuest;
  private readonly hosts: readonly DemoHost[];
  private over = false;
  private turning: Promise<void> | undefined;

  constructor(guest: DemoGuest, hosts: readonly DemoHost[]) {
    this.guest = guest;
    this.hosts = hosts;
  }

  begin(): void {
    this.turning = this.turns();
  }

  turn(): void {
    if (this.guestRuns) this.guest.step();
    for (const host of this.hosts) host.run(BUDGET);
  }

  /** Whatever is in flight is answered, and memory is what it must be. @throws Error when it is not. */
  finish(): Work {
    for (let turn = 0; turn < DRAIN && !this.guest.isIdle; turn++) {
      for (const host of this.hosts) host.run(BUDGET);
      this.guest.answers();
    }
    if (!this.guest.isIdle) throw new Error("requests of the guest were lost");
    this.guest.verifyMemory();
    return this.guest.work;
  }

  async end(): Promise<void> {
    this.over = true;
    await this.turning;
  }

  private async turns(): Promise<void> {
    while (!this.over) {
      for (let turn = 0; turn < TURNS; turn++) this.turn();
      await setImmediate();
    }
  }
}

/** Keeps the latest whole state of each member. */
class StateKeeper {
  private readonly growing = new Map<number, Uint8Array[]>();
  private readonly whole = new Map<number, Uint8Array>();

  take(event: MigrationEvent): void {
    if (event.kind === "state") {
      const pieces = this.growing.get(event.member) ?? [];
      this.growing.set(event.member, [...pieces, event.bytes.slice()]);
    } else if (event.kind === "state-end") {
      this.whole.set(event.member, Buffer.concat(this.growing.get(event.member) ?? []));
      this.growing.delete(event.member);
    }
  }

  of(member: number): Uint8Array {
    return this.whole.get(member) ?? new Uint8Array(0);
  }
}
