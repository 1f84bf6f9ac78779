/** Every case of the benchmark by name, `what/case`. */
import { cases as device } from "./cases/device.js";
import { cases as memoryTable } from "./cases/memory-table.js";
import { cases as queueConfigs } from "./cases/queue-configs.js";
import { cases as recordStream } from "./cases/record-stream.js";
import { cases as vhostUser } from "./cases/vhost-user.js";
import { cases as words } from "./cases/words.js";
import type { Case } from "./measure.js";

export const corpus: Readonly<Record<string, Case>> = {
  ...words,
  ...queueConfigs,
  ...memoryTable,
  ...vhostUser,
  ...recordStream,
  ...device,
};
