/**
 * What grows with the work, and with nothing else: a device context is saved and restored in time that is proportional to
 * its size, and write records are read in time that is proportional to the pages that are dirty, however large the guest.
 * The targets compare virtwire with itself at half of the work, or with as much dirt in a 64th of the memory.
 */
import {
  AdminDriver,
  Allocator,
  BlkDevice,
  BlkDriver,
  CommonConfig,
  DraftV2Driver,
  DraftV2Profile,
  GuestMemory,
  OwnerDevice,
  VirtioDevice,
  WrittenPages,
} from "../../src/device/index.js";
import type { Case } from "../measure.js";

/** Twice the work takes twice the time, and a little more where caches end; four times would be the square. */
const TWICE = 2.4;
const PACKED = 1n << 34n;
const MEMBER = 1;
const QUEUE_SIZE = 64;
const REQUESTS = 16;
const GUEST_SIZE = 1 << 25;
const HOST_SIZE = 1 << 18;
const NO_INTERRUPTS = { queue: () => {}, config: () => {} };

/** A driver of a group's owner, whose member has so many virtqueues with requests in flight in each. */
function contextDriver(queues: number): DraftV2Driver {
  const memory = GuestMemory.of(GUEST_SIZE);
  const depth = queues * REQUESTS;
  const type = new BlkDevice({ disk: new Uint8Array(1 << 20), queues, queueSize: QUEUE_SIZE, depth });
  const device = new VirtioDevice(type, memory, NO_INTERRUPTS, { deferred: true });
  const bus = { common: new CommonConfig(device), notify: () => {} };
  const guest = new BlkDriver(bus, memory, new Allocator(0, GUEST_SIZE), {
    slots: depth,
    sectors: 1,
    without: PACKED,
  });
  for (let i = 0; i < depth; i++) guest.readSectors(i, 1, i % queues);
  device.run(undefined, depth);
  const hostMemory = GuestMemory.of(HOST_SIZE);
  const ownerType = new OwnerDevice({ members: new Map([[MEMBER, device]]), profile: new DraftV2Profile() });
  const owner = new VirtioDevice(ownerType, hostMemory, NO_INTERRUPTS);
  const ownerBus = { common: new CommonConfig(owner), notify: (queue: number) => owner.notify(queue) };
  const admin = new AdminDriver(ownerBus, hostMemory, new Allocator(0, HOST_SIZE));
  admin.useAll();
  const driver = new DraftV2Driver(admin, MEMBER);
  driver.setMode("freeze");
  return driver;
}

function save(driver: DraftV2Driver): () => Uint8Array[] {
  return () => {
    driver.discard();
    return [...driver.readContext()];
  };
}

function restore(driver: DraftV2Driver): () => void {
  const context = Buffer.concat(save(driver)());
  return () => driver.writeContext(context);
}

/**
 * Set up when it is measured first: every process loads the whole corpus, and what has run in it decides what the engine
 * makes of the functions that another case measures.
 */
function lazily(make: () => () => unknown): () => unknown {
  let subject: (() => unknown) | undefined;
  return () => {
    subject ??= make();
    return subject();
  };
}

const QUEUES = 256;

function growth(subject: (driver: DraftV2Driver) => () => unknown): Case {
  return {
    batch: 1,
    subjects: {
      virtwire: lazily(() => subject(contextDriver(QUEUES))),
      half: lazily(() => subject(contextDriver(QUEUES / 2))),
    },
    targets: { half: TWICE },
  };
}

const PAGE = 4096;
const TEBIBYTE = 2 ** 40;
const DIRTY = 2048;
/** As many as one command brings. */
const LIMIT = 512;

/** Pages far from each other are written, and then told. */
function sparse(size: number, dirty: number): () => number {
  const range = { address: 0, length: size };
  const pages = new WrittenPages(PAGE, [range]);
  const step = size / dirty;
  return () => {
    for (let address = 0; address < size; address += step) pages.wrote(address, PAGE);
    let told = 0;
    for (let count = LIMIT; count === LIMIT; told += count) count = pages.take(range, LIMIT).length;
    return told;
  };
}

/** What one writes first: a set of the pages that are dirty, sorted when it is asked. */
function handWritten(size: number, dirty: number): () => number {
  const pages = new Set<number>();
  const step = size / dirty;
  return () => {
    for (let address = 0; address < size; address += step) pages.add(Math.floor(address / PAGE));
    let told = 0;
    while (pages.size > 0) {
      const taken = [...pages].sort((a, b) => a - b).slice(0, LIMIT);
      for (const page of taken) pages.delete(page);
      told += taken.length;
    }
    return told;
  };
}

export const cases: Record<string, Case> = {
  "device/save-context": growth(save),
  "device/restore-context": growth(restore),
  "device/write-records": {
    batch: 1,
    subjects: {
      virtwire: sparse(TEBIBYTE, DIRTY),
      half: sparse(TEBIBYTE, DIRTY / 2),
      hand: handWritten(TEBIBYTE, DIRTY),
    },
    targets: { half: TWICE },
  },
  "device/write-records-of-1-TiB": {
    batch: 1,
    subjects: { virtwire: sparse(TEBIBYTE, DIRTY), "16 GiB": sparse(TEBIBYTE / 64, DIRTY) },
    targets: { "16 GiB": 1.25 },
  },
};
