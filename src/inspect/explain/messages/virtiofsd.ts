/** Messages of virtiofsd, which carries its own state through QEMU's stream. */
import type { Message, Source } from "../message.js";

const user = (name: string): Source => ({ project: "virtiofsd", file: "src/vhost_user.rs", function: name });
const load = (name: string): Source => ({
  project: "virtiofsd",
  file: "src/passthrough/device_state/deserialization.rs",
  function: name,
});

const SAME_TREE =
  "Source and destination must share one directory on one file system; copies have other inodes. With --migration-on-error=guest-error virtiofsd goes on and the guest gets errors for the lost files only.";
const SAME_OPTIONS = "Start virtiofsd with the same options on both sides.";

export const virtiofsdMessages: readonly Message[] = [
  {
    id: "virtiofsd-start",
    format: "Failed to initiate state (de-)serialization: {err}",
    values: ["error"],
    source: user("set_device_state_fd"),
    meaning: "virtiofsd was asked for its state, or to take one, and could not begin.",
    remedy: "A virtiofsd that is too old for the front-end, or a front-end that asks in the wrong phase.",
  },
  {
    id: "virtiofsd-failed",
    format: "Migration failed: {err}",
    values: ["error"],
    source: user("check_device_state"),
    meaning: "virtiofsd could not save or load its state; what follows in the line says why.",
    remedy: SAME_TREE,
  },
  {
    id: "virtiofsd-save",
    format: "Failed to save state: {}",
    values: ["error"],
    source: user("do_set_device_state_fd"),
    meaning: "virtiofsd could not write its state at the source.",
    remedy:
      "Look at the reason in the line; the pipe to QEMU may have been closed because the migration was cancelled.",
  },
  {
    id: "virtiofsd-load",
    format: "Failed to load state: {}",
    values: ["error"],
    source: user("do_set_device_state_fd"),
    meaning: "virtiofsd refused the state of the source's virtiofsd.",
    remedy: SAME_TREE,
  },
  {
    id: "virtiofsd-not-prepared",
    format:
      "Front-end did not announce migration to begin, so we failed to prepare for it; collecting data now.  If you are doing a snapshot, that is OK; otherwise, migration downtime may be prolonged.",
    enough: "Front-end did not announce migration to begin, so we failed to prepare for it",
    values: [],
    source: user("do_set_device_state_fd"),
    meaning: "virtiofsd collects its state only now that the guest stands still. A warning.",
    remedy: "Harmless for a snapshot. In a live migration the front-end should set VHOST_F_LOG_ALL first.",
  },
  {
    id: "virtiofsd-writeback",
    format: "Migration source wants writeback enabled, but it is disabled on the destination",
    values: [],
    source: load("apply"),
    meaning: "The guest has negotiated the writeback cache, and the destination's virtiofsd has it off.",
    remedy: `--writeback is missing at the destination. ${SAME_OPTIONS}`,
  },
  {
    id: "virtiofsd-submounts",
    format: "Migration source wants announce-submounts enabled, but it is disabled on the destination",
    values: [],
    source: load("apply"),
    meaning:
      "The guest is told of mounts inside the directory, and the destination's virtiofsd has that off.",
    remedy: `--no-announce-submounts is set at the destination only. ${SAME_OPTIONS}`,
  },
  {
    id: "virtiofsd-acl",
    format: "Migration source wants posix ACLs enabled, but it is disabled on the destination",
    values: [],
    source: load("apply"),
    meaning: "The guest uses POSIX ACLs, and the destination's virtiofsd has them off.",
    remedy: `--posix-acl is missing at the destination. ${SAME_OPTIONS}`,
  },
  {
    id: "virtiofsd-other-inode",
    format: "Inode {} is not the same inode as in the migration source: {err}",
    values: ["inode", "error"],
    source: load("check_file_handle"),
    meaning: "Under the path that the source sent the destination finds another file.",
    remedy: SAME_TREE,
  },
  {
    id: "virtiofsd-lost-inode",
    format: "Migration source has lost inode {}",
    values: ["inode"],
    source: load("deserialize_with_fs"),
    meaning:
      "The guest has a file open that the source could not find a path for: it was deleted or moved outside.",
    remedy: "Close the file in the guest, or use --migration-mode=file-handles, which needs no paths.",
  },
  {
    id: "virtiofsd-invalid-inode",
    format: "Invalid inode {} indexed: {err}",
    values: ["inode", "error"],
    source: load("deserialize_invalid_inode"),
    meaning: "A file could not be found at the destination; the guest will get errors for it. A warning.",
    remedy: SAME_TREE,
  },
  {
    id: "virtiofsd-references",
    format: "Unresolved references between serialized inodes",
    values: [],
    source: load("apply_with_mount_paths"),
    meaning: "The state names a directory that it does not hold: it is damaged.",
    remedy: "Report it to virtiofsd, with both versions.",
  },
];
