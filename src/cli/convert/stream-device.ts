/** One virtio device in the streams of a migration, and the guest's memory around it. */

import { type FoundDevice, type GuestBytes, guestBytes, VirtioDeviceFinder } from "../../streams/index.js";
import { describe } from "../capture.js";
import type { SeekableInput } from "../input.js";
import { type Io, UsageError } from "../io.js";
import { type MigrationFiles, withMemory } from "../ram/memory.js";

export interface StreamDevice {
  readonly device: FoundDevice;
  readonly finder: VirtioDeviceFinder;
  readonly memory: GuestBytes;
  /** The main stream. */
  readonly input: SeekableInput;
  /** Faults of the streams, already said. */
  readonly faults: number;
}

/** Gives the device to `use` as long as the files are open. Throws `UsageError` when it is not there, or not the only one. */
export function withStreamDevice<T>(
  files: MigrationFiles,
  wanted: string,
  io: Io,
  use: (found: StreamDevice) => T | Promise<T>,
): Promise<T> {
  return withMemory(files, io, async ({ image, reader, machine, inputs, main, faults, feed }) => {
    const input = inputs[main];
    if (input === undefined) throw new UsageError("no main stream among the files");
    const finder = new VirtioDeviceFinder(wanted, describe(input));
    await feed(main, finder);
    const [device, other] = finder.devices;
    if (device === undefined || other !== undefined) {
      const names = finder.names.join(", ") || "none";
      const what = device === undefined ? "no whole virtio device" : "more than one virtio device";
      throw new UsageError(`${input.name}: ${what} is called ${JSON.stringify(wanted)}: there are ${names}`);
    }
    return await use({ device, finder, memory: guestBytes(image, reader, machine), input, faults });
  });
}
