/** All messages that are known, by what they are about. */
import type { Message } from "../message.js";
import { memoryMessages } from "./memory.js";
import { multifdMessages } from "./multifd.js";
import { pciMessages } from "./pci.js";
import { postcopyMessages } from "./postcopy.js";
import { streamMessages } from "./stream.js";
import { vfioMessages } from "./vfio.js";
import { vhostMessages } from "./vhost.js";
import { virtioMessages } from "./virtio.js";
import { virtiofsdMessages } from "./virtiofsd.js";
import { virtqueueMessages } from "./virtqueues.js";
import { vmstateMessages } from "./vmstate.js";

export const messages: readonly Message[] = [
  ...streamMessages,
  ...vmstateMessages,
  ...virtioMessages,
  ...virtqueueMessages,
  ...pciMessages,
  ...memoryMessages,
  ...postcopyMessages,
  ...multifdMessages,
  ...vfioMessages,
  ...vhostMessages,
  ...virtiofsdMessages,
];
