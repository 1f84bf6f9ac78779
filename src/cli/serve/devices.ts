/** The devices that `virtwire serve` can be, made from its options. */
import { BlkDevice, type DeviceType, Hub, NetDevice, Responder } from "../../device/index.js";
import { FileDisk, FrameRecorder } from "../../vhost-user/index.js";
import { UsageError } from "../io.js";

export interface DeviceChoice {
  readonly device: string;
  readonly queues?: string | undefined;
  readonly file?: string | undefined;
  readonly size?: string | undefined;
  readonly serial?: string | undefined;
  readonly mac?: string | undefined;
  readonly address?: string | undefined;
  readonly pcap?: string | undefined;
}

/** What is served, one device for each socket. */
export interface Served {
  readonly types: readonly DeviceType[];
  /** What they have done so far, in a few words. */
  readonly summary: () => string;
  readonly close: () => Promise<void>;
}

const MAX_QUEUES = 64;
/** Requests of a block device that are under way at the same time. */
const DEPTH = 64;
const GIB = 2 ** 30;
const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: GIB };
const OWN_MAC = "52:54:00:76:77:01";
const RESPONDER_MAC = Uint8Array.of(0x52, 0x54, 0x00, 0x76, 0x77, 0x00);
const RESPONDER_ADDRESS = "10.0.0.1";
const BLK_ONLY = ["file", "size", "serial"] as const;
const NET_ONLY = ["mac", "address", "pcap"] as const;

/** @throws UsageError */
export function makeDevices(choice: DeviceChoice, sockets: number): Promise<Served> {
  switch (choice.device) {
    case "net":
      refuse(choice, BLK_ONLY);
      return Promise.resolve(network(choice, sockets));
    case "blk":
      refuse(choice, NET_ONLY);
      if (sockets > 1) throw new UsageError("a disk has one --socket: two guests would overwrite each other");
      return disk(choice);
    default:
      throw new UsageError(`--device is net or blk, not ${JSON.stringify(choice.device)}`);
  }
}

function refuse(choice: DeviceChoice, names: readonly (keyof DeviceChoice)[]): void {
  const given = names.find((name) => choice[name] !== undefined);
  if (given !== undefined) throw new UsageError(`--${given} is nothing for --device ${choice.device}`);
}

async function disk({ file, size, serial, queues }: DeviceChoice): Promise<Served> {
  if ((file === undefined) === (size === undefined)) {
    throw new UsageError("a block device needs --file FILE, or --size SIZE for one in memory");
  }
  const opened = file === undefined ? undefined : await openFile(file);
  const type = new BlkDevice({
    disk: opened ?? new Uint8Array(sizeOf(size ?? "")),
    queues: queuesOf(queues),
    depth: DEPTH,
    ...(serial !== undefined && { serial }),
  });
  return {
    types: [type],
    summary: () => count(type.completed, "request"),
    close: async () => opened?.close(),
  };
}

async function openFile(file: string): Promise<FileDisk> {
  try {
    return await FileDisk.open(file);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

function network(
  { mac = OWN_MAC, address = RESPONDER_ADDRESS, pcap, queues }: DeviceChoice,
  sockets: number,
): Served {
  const hub = new Hub();
  const responder = new Responder({ address: addressOf(address), mac: RESPONDER_MAC });
  hub.connect(responder);
  const first = macOf(mac);
  const types = Array.from({ length: sockets }, (_, index) => {
    const own = first.slice();
    own[own.length - 1] = ((own.at(-1) ?? 0) + index) & 0xff;
    return new NetDevice({ mac: own, link: hub, pairs: queuesOf(queues), withoutControl: true });
  });
  const recorder = pcap === undefined ? undefined : recorderAt(pcap);
  if (recorder !== undefined) hub.attach(recorder);
  const sum = (of: (type: NetDevice) => number): number => types.reduce((all, type) => all + of(type), 0);
  return {
    types,
    summary: () =>
      [
        `${count(
          sum(({ transmitted }) => transmitted),
          "frame",
        )} in`,
        `${sum(({ received }) => received).toLocaleString("en-US")} out`,
        `${sum(({ dropped }) => dropped).toLocaleString("en-US")} dropped`,
        count(responder.echoes, "ping"),
        count(responder.announcements, "announcement"),
      ].join(", "),
    close: async () => recorder?.close(),
  };
}

function recorderAt(path: string): FrameRecorder {
  try {
    return new FrameRecorder(path, "virtwire");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") {
      throw new UsageError(`${path} exists, and is not overwritten`);
    }
    throw error;
  }
}

function queuesOf(text = "1"): number {
  const queues = Number(text);
  if (!Number.isInteger(queues) || queues < 1 || queues > MAX_QUEUES) {
    throw new UsageError(`--queues is a number from 1 to ${MAX_QUEUES}, not ${JSON.stringify(text)}`);
  }
  return queues;
}

/** In bytes. */
function sizeOf(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+)([KMG]?)$/.exec(text) ?? [];
  const size = Number(digits) * (UNITS[unit] ?? 0);
  if (digits === "" || size === 0 || size > 4 * GIB || size % 512 !== 0) {
    throw new UsageError(`--size is whole sectors up to 4G, such as 64M, not ${JSON.stringify(text)}`);
  }
  return size;
}

function macOf(text: string): Uint8Array {
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(text)) {
    throw new UsageError(`--mac is six bytes such as ${OWN_MAC}, not ${JSON.stringify(text)}`);
  }
  return Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16));
}

function addressOf(text: string): number {
  const bytes = text.split(".").map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255)) {
    throw new UsageError(
      `--address is four numbers such as ${RESPONDER_ADDRESS}, not ${JSON.stringify(text)}`,
    );
  }
  return bytes.reduce((address, byte) => address * 256 + byte, 0);
}

function count(number: number, name: string): string {
  return `${number.toLocaleString("en-US")} ${name}${number === 1 ? "" : "s"}`;
}
