/** Messages about postcopy, the return path, and the hosts that take part. */
import { hex } from "../../report.js";
import type { Message, Source } from "../message.js";
import { damagePlaces } from "../scene.js";
import type { Values } from "../values.js";

const savevm = (name: string): Source => ({ project: "QEMU", file: "migration/savevm.c", function: name });
const migration = (name: string): Source => ({
  project: "QEMU",
  file: "migration/migration.c",
  function: name,
});
const postcopy = (name: string): Source => ({
  project: "QEMU",
  file: "migration/postcopy-ram.c",
  function: name,
});

const CAPABILITIES = "Set postcopy-ram the same on both sides before the migration starts.";

/** @source QEMU 10.0.2, migration/postcopy-ram.h, PostcopyState */
const STATES = ["NONE", "ADVISE", "DISCARD", "LISTENING", "RUNNING", "END"];

function stateCauses(values: Values): string[] {
  const name = STATES[values.number("state")];
  return name === undefined ? [] : [`the destination is in state ${values.number("state")}, ${name}`];
}

export const postcopyMessages: readonly Message[] = [
  {
    id: "postcopy-advise-state",
    format: "CMD_POSTCOPY_ADVISE in wrong postcopy state (%d)",
    values: ["state"],
    source: savevm("loadvm_postcopy_handle_advise"),
    meaning: "ADVISE came a second time, or after the postcopy had begun.",
    remedy: "The stream is damaged, or parts of two migrations were put together.",
    causes: stateCauses,
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "postcopy-listen-state",
    format: "CMD_POSTCOPY_LISTEN in wrong postcopy state (%d)",
    values: ["state"],
    source: savevm("loadvm_postcopy_handle_listen"),
    meaning: "LISTEN came without ADVISE before it.",
    remedy: CAPABILITIES,
    causes: stateCauses,
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "postcopy-run-state",
    format: "CMD_POSTCOPY_RUN in wrong postcopy state (%d)",
    values: ["state"],
    source: savevm("loadvm_postcopy_handle_run"),
    meaning: "RUN came before LISTEN.",
    remedy: "The stream is damaged, or parts of two migrations were put together.",
    causes: stateCauses,
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "postcopy-advise-empty",
    format: "RAM postcopy is enabled but have 0 byte advise",
    values: [],
    source: savevm("loadvm_postcopy_handle_advise"),
    meaning: "postcopy-ram is on at the destination and off at the source.",
    remedy: CAPABILITIES,
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "postcopy-advise-full",
    format: "RAM postcopy is disabled but have 16 byte advise",
    values: [],
    source: savevm("loadvm_postcopy_handle_advise"),
    meaning: "postcopy-ram is on at the source and off at the destination.",
    remedy: CAPABILITIES,
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "postcopy-host-pages",
    format: "Postcopy needs matching RAM page sizes (s=%llx d=%llx)",
    values: ["source", "local"],
    source: savevm("loadvm_postcopy_handle_advise"),
    meaning: "The two sides back guest memory with pages of different sizes.",
    remedy: "Use huge pages of the same size on both sides, or on none.",
    causes: (values) => [
      `sizes in use, or-ed together: ${hex(values.big("source"))} at the source, ${hex(values.big("local"))} at the destination`,
    ],
  },
  {
    id: "postcopy-target-pages",
    format: "Postcopy needs matching target page sizes (s=%d d=%zd)",
    values: ["source", "local"],
    source: savevm("loadvm_postcopy_handle_advise"),
    meaning: "The two sides count guest memory in pages of different sizes.",
    remedy: "Use the same machine type and CPU on both sides.",
  },
  {
    id: "postcopy-userfault",
    format: "Userfaultfd not available: %s",
    values: ["error"],
    source: postcopy("postcopy_ram_supported_by_host"),
    meaning: "The destination may not catch page faults, which postcopy is built on.",
    remedy:
      "Allow it at the destination: sysctl vm.unprivileged_userfaultfd=1, or access to /dev/userfaultfd, and a seccomp filter (containers, -sandbox) that lets the call pass.",
  },
  {
    id: "postcopy-paused",
    format: "Detected IO failure for postcopy. Migration paused.",
    values: [],
    source: savevm("postcopy_pause_incoming"),
    meaning: "The connection was lost in the middle of a postcopy. Both sides wait; nothing is lost yet.",
    remedy:
      "Do not kill either side. Repair the network, migrate-recover at the destination with a new address, and migrate with resume at the source.",
  },
  {
    id: "return-path-error",
    format: "Sibling indicated error %d",
    values: ["error"],
    source: migration("source_return_path_thread"),
    meaning: "The destination has told the source, on the return path, that it failed.",
    remedy: "The reason is in the log of the destination.",
  },
  {
    id: "return-path-message",
    format: "Received invalid message 0x%04x length 0x%04x",
    values: ["type", "length"],
    source: migration("source_return_path_thread"),
    meaning: "On the return path came something that is no message.",
    remedy:
      "The destination is newer and uses a message that the source does not know, or the connection is broken.",
  },
  {
    id: "page-request-block",
    format: "MIG_RP_MSG_REQ_PAGES has no block '%s'",
    values: ["block"],
    source: { project: "QEMU", file: "migration/ram.c", function: "ram_save_queue_pages" },
    meaning: "The destination has asked for a page of a block that the source does not have.",
    remedy:
      "The two sides have different blocks of memory: the same devices and memory backends on both sides.",
  },
  {
    id: "package-size",
    format: "Unreasonably large packaged state: %zu",
    values: ["size"],
    source: savevm("loadvm_handle_cmd_packaged"),
    meaning:
      "The state of the devices, which postcopy sends in one piece, is said to be larger than the destination takes.",
    remedy:
      "The stream is damaged, or a device (a GPU, vhost-user with a large state) has too much state for postcopy: use precopy.",
    causes: (values) => [`${values.number("size")} bytes, ${hex(values.big("size"))}`],
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "bitmap-node",
    format: "Error: Unknown node alias '%s'",
    values: ["node"],
    source: { project: "QEMU", file: "migration/block-dirty-bitmap.c", function: "dirty_bitmap_load_header" },
    meaning:
      "A dirty bitmap belongs to a block node that the destination does not have, or has under another name.",
    remedy: "Use the same node names, or map them with block-bitmap-mapping on both sides.",
  },
  {
    id: "bitmap-exists",
    format: "Bitmap with the same name ('%s') already exists on destination",
    values: ["bitmap"],
    source: { project: "QEMU", file: "migration/block-dirty-bitmap.c", function: "dirty_bitmap_load_start" },
    meaning: "A dirty bitmap that is to be migrated is there already.",
    remedy:
      "Remove it at the destination, or turn the capability dirty-bitmaps off when the disks are shared.",
  },
];
