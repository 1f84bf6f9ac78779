/** Messages about multifd: channels that are connected wrongly, and packets that do not fit. */
import { hex } from "../../report.js";
import type { Message, Source } from "../message.js";
import type { Values } from "../values.js";

const multifd = (name: string): Source => ({ project: "QEMU", file: "migration/multifd.c", function: name });
const packets = (name: string): Source => ({
  project: "QEMU",
  file: "migration/multifd-nocomp.c",
  function: name,
});

const SAME =
  "Set multifd, multifd-channels and multifd-compression the same on both sides before the migration starts.";

/** @source QEMU 10.0.2, migration/multifd.h */
const COMPRESSION_MASK = 0x1f << 1;
const COMPRESSIONS: ReadonlyMap<number, string> = new Map([
  [0, "none"],
  [1 << 1, "zlib"],
  [2 << 1, "zstd"],
  [4 << 1, "qpl"],
  [8 << 1, "uadk"],
  [16 << 1, "qatzip"],
]);

export const multifdMessages: readonly Message[] = [
  {
    id: "multifd-magic",
    format: "multifd: received packet magic %x expected %x",
    enough: "multifd: received packet magic %x",
    values: ["magic"],
    source: multifd("multifd_recv_initial_packet"),
    meaning: "A channel does not begin as multifd channels do.",
    remedy: `Something else has connected, or multifd is on at one side only. ${SAME}`,
    causes: magicCauses,
  },
  {
    id: "multifd-packet-magic",
    format: "multifd: received packet magic %x, expected %x",
    values: ["magic", "expected"],
    source: multifd("multifd_recv_unfill_packet_header"),
    meaning: "A packet of a multifd channel begins with something else: the channel is out of step.",
    remedy: `Compression or TLS differs between the two sides. ${SAME}`,
    causes: magicCauses,
  },
  {
    id: "multifd-version",
    format: "multifd: received packet version %u expected %u",
    values: ["version", "expected"],
    source: multifd("multifd_recv_initial_packet"),
    meaning: "The source speaks another version of multifd.",
    remedy: "Migrate to a QEMU that is at least as new, or without multifd.",
  },
  {
    id: "multifd-uuid",
    format: "multifd: received uuid '%s' and expected uuid '%s' for channel %hhd",
    values: ["source", "local", "channel"],
    source: multifd("multifd_recv_initial_packet"),
    meaning: "A channel of another machine has connected.",
    remedy: "Give the destination the -uuid of the source; when it has it, two migrations use the same port.",
  },
  {
    id: "multifd-channels",
    format: "multifd: received channel id %u is greater than number of channels %u",
    values: ["channel", "channels"],
    source: multifd("multifd_recv_initial_packet"),
    meaning: "The source opens more channels than the destination expects.",
    remedy: SAME,
    causes: (values) => [
      `channel ${values.number("channel")} came, counted from 0; multifd-channels is ${values.number("channels")} at the destination`,
    ],
  },
  {
    id: "multifd-block",
    format: "multifd: unknown ram block %s",
    values: ["block"],
    source: packets("multifd_ram_unfill_packet"),
    meaning: "A packet holds pages of a block that the destination does not have.",
    remedy: "Memory devices and ROMs must be the same on both sides.",
  },
  {
    id: "multifd-flags",
    format: "multifd %u: flags received %x flags expected %x",
    values: ["channel", "received", "expected"],
    source: packets("multifd_nocomp_recv"),
    meaning: "The packets of a channel are compressed in another way than the destination expects.",
    remedy: SAME,
    causes: (values) => [
      `compression ${compression(values.number("received"))} came, ${compression(values.number("expected"))} is set at the destination`,
    ],
  },
];

function compression(flags: number): string {
  return COMPRESSIONS.get(flags & COMPRESSION_MASK) ?? hex(flags);
}

/** Four bytes that people meet here: the main channel's own, TLS, and text. */
function magicCauses(values: Values): string[] {
  const magic = values.number("magic");
  if (magic === 0x5145564d)
    return ["0x5145564d is `QEVM`: the main channel of a migration has connected here."];
  if (magic >>> 24 === 0x16) return ["0x16… is how TLS begins: TLS is on at the source only."];
  return [];
}
