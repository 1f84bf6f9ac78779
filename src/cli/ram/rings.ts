/** The virtqueues of a migration's devices: their states, and the rings in the guest's memory around them. */

import { describeFault, hex } from "../../inspect/index.js";
import type { RingsReport } from "../../inspect/rings/index.js";
import { WireError } from "../../runtime/index.js";
import {
  type FoundDevice,
  guestBytes,
  guestPlace,
  RingMemory,
  readDeviceRings,
  type UnpackedPages,
  VirtioDeviceFinder,
} from "../../streams/index.js";
import { describe } from "../capture.js";
import { type Io, UsageError } from "../io.js";
import type { GuestMemory } from "./memory.js";
import { unpackPages } from "./unpack.js";

/** Pages that are kept unpacked: rings and indirect tables, of which no guest has so many. */
const MAX_UNPACKED = 1 << 14;
/** Rings are found first, then the tables that their descriptors point to. */
const MAX_PASSES = 3;

type Places = Pick<RingsReport, "inputs" | "where">;

/** `wanted`: the name of a section or a half of it; all virtio devices when undefined. Throws `UsageError` when there is none. */
export async function readRings(
  memory: GuestMemory,
  wanted: string | undefined,
  io: Io,
): Promise<readonly RingsReport[]> {
  const { image, machine, inputs, main, reader } = memory;
  const input = inputs[main];
  const finder = new VirtioDeviceFinder(wanted, input && describe(input));
  await memory.feed(main, finder);
  if (finder.devices.length === 0 && wanted !== undefined) {
    const names = finder.names.join(", ") || "none";
    throw new UsageError(
      `${input?.name ?? ""}: no whole virtio device is called ${JSON.stringify(wanted)}: there are ${names}`,
    );
  }
  const unpacked = new Unpacked();
  const places: Places = {
    inputs: inputs.map(({ name }) => name),
    where: (address) => guestPlace(image, machine, address),
  };
  for (let pass = 1; ; pass++) {
    const bytes = new RingMemory(guestBytes(image, reader, machine, unpacked));
    const reports = finder.devices.map((device) => reportOf(device, bytes, places));
    if (unpacked.wanted.size === 0 || pass > MAX_PASSES) return reports;
    unpacked.add(await unpackPages(memory, unpacked.wanted, io));
  }
}

function reportOf(device: FoundDevice, memory: RingMemory, places: Places): RingsReport {
  const { section, instanceId, place, bytes } = device;
  const name = instanceId === 0 ? section.name : `${section.name}#${instanceId}`;
  try {
    const rings = readDeviceRings(bytes, section, memory);
    return { name, at: place.at, problem: undefined, rings, ...places };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const problem = `its state is damaged at ${hex(place.at + error.offset)}: ${describeFault(error)}`;
    return { name, at: place.at, problem, rings: undefined, ...places };
  }
}

/** Pages out of compressed channels, and those that were asked for and are not there. */
class Unpacked implements UnpackedPages {
  readonly wanted: Set<number> = new Set();
  private readonly pages = new Map<number, Uint8Array>();
  private readonly refused = new Set<number>();

  get(code: number): Uint8Array | undefined {
    const page = this.pages.get(code);
    if (page === undefined && !this.refused.has(code) && this.wanted.size + this.pages.size < MAX_UNPACKED) {
      this.wanted.add(code);
    }
    return page;
  }

  /** What was wanted and did not come will not come: it is not asked for again. */
  add(pages: ReadonlyMap<number, Uint8Array>): void {
    for (const code of this.wanted) {
      const page = pages.get(code);
      if (page === undefined) this.refused.add(code);
      else this.pages.set(code, page);
    }
    this.wanted.clear();
  }
}
