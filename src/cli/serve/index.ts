/** `virtwire serve`: the reference device as a vhost-user back-end, for a real QEMU. */
import type { ArgsDef } from "citty";
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { VirtioBlkFeature, VirtioFeature, VirtioNetFeature } from "../../../generated/virtio/features.js";
import {
  NoSystemCallsError,
  type ServerEvent,
  SystemCallError,
  VhostUserServer,
} from "../../vhost-user/index.js";
import { optionValues } from "../arguments.js";
import { EXIT, type Io, UsageError } from "../io.js";
import { defineVerb, type Verb } from "../verb.js";
import { type DeviceChoice, makeDevices } from "./devices.js";
import { Status } from "./status.js";

const args = {
  device: { type: "string", valueHint: "net|blk", description: "What to be.", required: true },
  socket: {
    type: "string",
    valueHint: "PATH",
    description:
      "UNIX socket. Several network devices, each with a --socket of its own, are plugged into one hub.",
    required: true,
  },
  client: { type: "boolean", description: "Connect to a front-end that listens (chardev with server=on)." },
  queues: {
    type: "string",
    valueHint: "N",
    description: "Virtqueues; of a network device, pairs of them. Default: 1.",
  },
  file: { type: "string", valueHint: "FILE", description: "blk: the disk image, of whole sectors." },
  size: { type: "string", valueHint: "SIZE", description: "blk: a disk of zeros in memory, e.g. 64M." },
  serial: { type: "string", valueHint: "TEXT", description: "blk: what the guest finds as serial number." },
  mac: { type: "string", valueHint: "MAC", description: "net: the device's own address." },
  address: {
    type: "string",
    valueHint: "IPV4",
    description: "net: whom the guest can ping. Default: 10.0.0.1.",
  },
  pcap: { type: "string", valueHint: "FILE", description: "net: records the traffic, as pcapng." },
  without: {
    type: "string",
    valueHint: "FEATURES",
    description: "Features that are not offered, by name, with commas between: virtio's and the protocol's.",
  },
  verbose: { type: "boolean", alias: "v", description: "Show every request." },
} as const satisfies ArgsDef;

const examples = [
  "virtwire serve --device net --socket net.sock --pcap guest.pcapng",
  "virtwire serve --device blk --socket blk.sock --file disk.img --queues 4",
  "virtwire serve --device net --socket net.sock --without VIRTIO_F_RING_PACKED,VHOST_USER_PROTOCOL_F_DEVICE_STATE",
];

export function serveVerb(io: Io): Verb {
  return defineVerb({
    name: "serve",
    details: "A vhost-user back-end, until Ctrl-C ends it.",
    args,
    examples,
    exits: { ok: "it was ended" },
    run: (given, rawArgs) =>
      serve(
        given,
        optionValues(rawArgs, "socket"),
        given.client === true,
        given.verbose === true,
        given.without,
        io,
      ),
  });
}

async function serve(
  choice: DeviceChoice,
  sockets: readonly string[],
  client: boolean,
  verbose: boolean,
  without: string | undefined,
  io: Io,
): Promise<number> {
  const refused = featuresOf(without);
  try {
    const devices = await makeDevices(choice, sockets.length);
    const servers: VhostUserServer[] = [];
    const status = new Status(io, devices.summary);
    try {
      for (const [index, type] of devices.types.entries()) {
        const path = sockets[index] ?? "";
        const onEvent = (event: ServerEvent): void => status.event(path, event, verbose);
        servers.push(await VhostUserServer.start(type, path, { ...refused, client, onEvent }));
      }
      await io.interrupted();
      for (const server of servers) await server.close();
      status.summarize();
    } finally {
      for (const server of servers) await server.close();
      status.end();
      await devices.close();
    }
    return EXIT.ok;
  } catch (error) {
    if (error instanceof NoSystemCallsError || error instanceof SystemCallError) {
      throw new UsageError(error.message);
    }
    throw error;
  }
}

/** @throws UsageError for a name that no feature has. */
function featuresOf(names = ""): { readonly without: bigint; readonly withoutProtocol: bigint } {
  const virtio = new Map(Object.entries({ ...VirtioNetFeature, ...VirtioBlkFeature, ...VirtioFeature }));
  const protocol = new Map(Object.entries(VhostUserProtocolFeature));
  let without = 0n;
  let withoutProtocol = 0n;
  for (const name of names.split(",").filter((one) => one !== "")) {
    const bit = virtio.get(name);
    const protocolBit = protocol.get(name);
    if (bit === undefined && protocolBit === undefined) throw new UsageError(`no feature is called ${name}`);
    without |= bit ?? 0n;
    withoutProtocol |= protocolBit ?? 0n;
  }
  return { without, withoutProtocol };
}
