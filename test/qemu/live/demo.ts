/**
 * `npm run demo:qemu`: a Linux guest at work moves from one real QEMU to another. The network device and the disk of
 * both are ours, `virtwire serve`.
 */
import { statSync } from "node:fs";
import { newerQemu } from "../programs.js";
import { disk, nic } from "./devices.js";
import { guestImage } from "./guest-image.js";
import type { LinuxGuest } from "./linux-guest.js";
import { migrate } from "./migrate.js";
import { pingsOf } from "./pings.js";
import { Stage } from "./stage.js";

const WRITERS = 3;
/** Of the guest's probe `disk-load`. */
const ROUND = 256;

function say(what: string, text: string): void {
  process.stdout.write(`${what.padEnd(13)}${text}\n`);
}

const number = (value: number | undefined): string => (value ?? 0).toLocaleString("en-US");

async function machine(stage: Stage, name: string, incoming?: "running"): Promise<LinuxGuest> {
  await stage.backEnd(`${name}.net`, "--device", "net");
  await stage.backEnd(`${name}.blk`, "--device", "blk", "--file", stage.path("disk.img"));
  const devices = [
    ...nic({ id: "net", socket: stage.path(`${name}.net`) }),
    ...disk({ id: "blk", socket: stage.path(`${name}.blk`) }),
  ];
  return await stage.guest({ name, memory: 128, cpus: 2, devices, ...(incoming && { incoming }) });
}

async function demonstrate(stage: Stage): Promise<boolean> {
  stage.blankDisk("disk.img", 8);
  const source = await machine(stage, "source");
  say("source", `QEMU with two back-ends, virtwire serve: ${await source.run("uname -sr")} has booted`);
  await source.run("ip addr add 10.0.0.2/24 dev eth0 && ip link set eth0 up");
  await source.run("pinging start 10.0.0.1 0.02");
  await source.run(`disk-load start ${WRITERS}`);
  say(
    "guest",
    `pings every 20 ms, while ${WRITERS} writers fill its disk and compare what they have written`,
  );
  const destination = await machine(stage, "destination", "running");
  say("destination", "another QEMU waits, with two back-ends of its own");
  await source.run("sleep 1");

  const { info, recording } = await migrate(source, destination, stage.folder);
  await recording.ended;
  say(
    "migration",
    `${info.status} in ${number(info["total-time"])} ms; the guest stood still for ${number(info.downtime)} ms`,
  );
  const bytes = statSync(recording.files.forward).size;
  say("", `${number(bytes)} bytes, memory in ${info.ram?.["dirty-sync-count"]} rounds`);
  if (info.status !== "completed") return false;

  await destination.run("sleep 1");
  const { sent, lost, doubled } = pingsOf(await destination.run("pinging stop"));
  say("pings", `${number(sent)} sent, ${lost.length} lost, ${doubled.length} answered twice`);
  const rounds = (await destination.run("disk-load stop")).split("\n");
  const written = rounds.map((line) => Number(/^writer \d ends after (\d+) rounds$/.exec(line)?.[1]));
  const all = written.reduce((sum, one) => sum + one, 0);
  say(
    "disk",
    Number.isNaN(all) ? rounds.join("\n") : `${number(all * ROUND)} blocks written, read back and compared`,
  );
  return lost.length === 0 && doubled.length === 0 && !Number.isNaN(all);
}

async function main(): Promise<number> {
  const program = newerQemu("x86_64");
  const image = guestImage();
  if (program === undefined) {
    process.stderr.write("demo:qemu needs qemu-system-x86_64; .ci/install-qemu installs it on Debian 12\n");
    return 2;
  }
  if (typeof image === "string") {
    process.stderr.write(`demo:qemu: ${image}\n`);
    return 2;
  }
  await using stage = new Stage(program, image);
  return (await demonstrate(stage)) ? 0 : 1;
}

process.exitCode = await main();
