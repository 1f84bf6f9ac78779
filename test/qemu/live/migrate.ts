/** A live migration from one real QEMU into another, and its numbers. */
import { join } from "node:path";
import type { MigrationInfo } from "../machine.js";
import type { LinuxGuest } from "./linux-guest.js";
import { type Recording, record } from "./recorder.js";

export interface Migration {
  readonly info: MigrationInfo;
  readonly recording: Recording;
}

/**
 * Moves a guest, and waits until the source says how that went. With a return path, as every migration should have one:
 * without it the source takes a destination that refuses the stream for one that runs, and the guest is lost.
 * `bandwidth`: in bytes a second; 0: as much as there is.
 */
export async function migrate(
  from: LinuxGuest,
  to: LinuxGuest,
  folder: string,
  bandwidth = 0,
): Promise<Migration> {
  const [listening, connecting] = [join(folder, `${to.name}.in`), join(folder, `${to.name}.out`)];
  await to.qemu.capabilities("return-path");
  await from.qemu.capabilities("return-path");
  await to.qemu.qmp("migrate-incoming", { uri: `unix:${listening}` });
  const recording = await record(connecting, listening);
  await from.qemu.qmp("migrate-set-parameters", { "max-bandwidth": bandwidth });
  await from.qemu.qmp("migrate", { uri: `unix:${connecting}` });
  // Events may be those of an earlier migration: by which it came here, or which failed.
  let info: MigrationInfo = {};
  await from.qemu.until(async () => {
    info = await from.qemu.migration();
    return info.status === "completed" || info.status === "failed";
  });
  return { info, recording };
}
