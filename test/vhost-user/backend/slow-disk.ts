/** A process that serves a disk in a file, and takes its time: to be killed while requests are under way. */
import { setTimeout as wait } from "node:timers/promises";
import { BlkDevice, type Disk } from "../../../src/device/index.js";
import { FileDisk, VhostUserServer } from "../../../src/vhost-user/index.js";

const [path = "", image = ""] = process.argv.slice(2);
const disk = await FileDisk.open(image);

async function slowly(work: () => Promise<void>): Promise<void> {
  await wait(Math.random() * 8);
  await work();
}

const slow: Disk = {
  length: disk.length,
  read: (at, into) => slowly(() => disk.read(at, into)),
  write: (at, from) => slowly(() => disk.write(at, from)),
  flush: () => slowly(() => disk.flush()),
  clear: (at, length) => slowly(() => disk.clear(at, length)),
};
await VhostUserServer.start(new BlkDevice({ disk: slow, depth: 16, queueSize: 64 }), path, {
  onEvent: ({ kind }) => {
    if (kind === "listening") process.stdout.write("listening\n");
  },
});
