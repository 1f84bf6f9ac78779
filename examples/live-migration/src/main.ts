/**
 * A guest under load moves from one host to another over a socket: node dist/main.js
 *
 * Both hosts live in this process; each has the guest's memory, a block device, and the owner of its group with an
 * administration virtqueue. The disk is storage that both reach. Copy what you need.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers/promises";
import {
  AdminDriver,
  Allocator,
  BlkDevice,
  BlkDriver,
  CommonConfig,
  DeviceContextDestination,
  DeviceContextSource,
  DraftV2Driver,
  DraftV2Profile,
  GuestMemory,
  type MigrationChannel,
  ObservedLog,
  OwnerDevice,
  receiveGuest,
  sendGuest,
  VirtioDevice,
  withinDowntime,
} from "virtwire/device";

const SECTORS = 1024;
const SECTOR = 512;
const BLOCK_DEVICE = 2; // VIRTIO_ID_BLOCK
const MEMBER = 1; // the first virtual function of the group
const PACKED_RINGS = 1n << 34n; // which a device context has no field for

function busOf(device: VirtioDevice) {
  return { common: new CommonConfig(device), notify: (queue: number) => device.notify(queue) };
}

/** A host with the block device of the guest. */
function makeHost(disk: Uint8Array) {
  const memory = GuestMemory.of(4 << 20);
  const quiet = { queue: () => {}, config: () => {} }; // this guest polls
  // Deferred: requests wait until `device.run` is called, so that the migration finds some in flight.
  const device = new VirtioDevice(new BlkDevice({ disk, depth: 8 }), memory, quiet, { deferred: true });
  const owner = new OwnerDevice({ members: new Map([[MEMBER, device]]), profile: new DraftV2Profile() });
  const hostMemory = GuestMemory.of(1 << 20);
  const admin = new AdminDriver(
    busOf(new VirtioDevice(owner, hostMemory, quiet)),
    hostMemory,
    new Allocator(0, 1 << 20),
  );
  admin.useAll();
  return { memory, device, driver: new DraftV2Driver(admin, MEMBER) };
}

/** Two ends of a connection, as Web streams. */
async function connection(): Promise<readonly [MigrationChannel, MigrationChannel, () => void]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const source = connect(port, "127.0.0.1");
  const [destination] = (await once(server, "connection")) as [Socket];
  server.close();
  const close = (): void => {
    source.destroy();
    destination.destroy();
  };
  return [Duplex.toWeb(source), Duplex.toWeb(destination), close];
}

const disk = new Uint8Array(SECTORS * SECTOR);
const here = makeHost(disk);
const there = makeHost(disk);

// The guest: it writes sector after sector, and counts what is answered.
const guest = new BlkDriver(busOf(here.device), here.memory, new Allocator(0, 4 << 20), {
  without: PACKED_RINGS,
});
let sent = 0;
let answered = 0;
let running = true;

function guestStep(): void {
  const data = new Uint8Array(SECTOR).fill(sent + 1);
  if (sent < SECTORS && guest.writeSectors(sent, data) !== undefined) sent++;
  while (guest.poll()?.status === 0) answered++;
}

// Time goes on for guest and devices while bytes travel.
let over = false;
const world = (async () => {
  while (!over) {
    if (running) guestStep();
    for (const { device } of [here, there]) device.run(undefined, 1);
    await setImmediate();
  }
})();

const [source, destination, close] = await connection();
const [report] = await Promise.all([
  sendGuest({
    channel: source,
    memory: here.memory,
    members: [new DeviceContextSource(here.driver, BLOCK_DEVICE)],
    processors: {
      writes: new ObservedLog(here.memory),
      stop: () => {
        running = false;
      },
      resume: () => {
        running = true; // given up: the guest goes on here
      },
    },
    switchover: withinDowntime(50),
    onEvent: (event) => {
      if (event.kind !== "round") return;
      const { round, pages, bytes, dirtyPages, stopped } = event.report;
      console.log(
        `${stopped ? "stopped" : `round ${round}`}: ${pages} pages, ${bytes} bytes, ${dirtyPages} dirty`,
      );
    },
  }),
  receiveGuest({
    channel: destination,
    memory: there.memory,
    members: [new DeviceContextDestination(there.driver, BLOCK_DEVICE, () => there.device.reset())],
    processors: {
      resume: () => {
        guest.attach(busOf(there.device), there.memory);
        running = true;
      },
    },
  }),
]);
close();
console.log(`downtime ${report.downtime.toFixed(1)} ms, ${answered} of ${sent} requests answered so far`);

while (answered < SECTORS) await setImmediate();
over = true;
await world;
const right = disk.every((byte, i) => byte === (Math.floor(i / SECTOR) + 1) % 256);
console.log(`${answered} requests answered, the disk is ${right ? "what the guest wrote" : "damaged"}`);
