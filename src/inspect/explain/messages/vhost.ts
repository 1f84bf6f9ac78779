/** Messages about vhost and vhost-user back-ends. */
import { VhostUserFrontendRequest } from "../../../../generated/vhost-user/messages.js";
import type { Message, Source } from "../message.js";
import { subjectPlaces } from "../scene.js";

const vhost = (name: string): Source => ({ project: "QEMU", file: "hw/virtio/vhost.c", function: name });
const user = (name: string): Source => ({ project: "QEMU", file: "hw/virtio/vhost-user.c", function: name });
const fs = (name: string): Source => ({ project: "QEMU", file: "hw/virtio/vhost-user-fs.c", function: name });

const BACK_END = "The reason is in the log of the back-end.";

export const vhostMessages: readonly Message[] = [
  {
    id: "vhost-log",
    format: "Migration disabled: vhost lacks VHOST_F_LOG_ALL feature.",
    values: [],
    source: vhost("vhost_dev_init"),
    meaning: "The back-end cannot log which pages it writes: the machine cannot be migrated while it runs.",
    remedy:
      "Use a back-end that offers VHOST_F_LOG_ALL (feature 26), or unplug the device before the migration.",
  },
  {
    id: "vhost-log-memory",
    format: "Migration disabled: vhost-user backend lacks VHOST_USER_PROTOCOL_F_LOG_SHMFD feature.",
    values: [],
    source: user("vhost_user_backend_init"),
    meaning: "The back-end cannot log which pages it writes into shared memory.",
    remedy:
      "Use a back-end that negotiates VHOST_USER_PROTOCOL_F_LOG_SHMFD (protocol feature 1), or unplug the device before the migration.",
  },
  {
    id: "vhost-postcopy",
    format: "vhost-user backend not capable of postcopy",
    values: [],
    source: user("vhost_user_postcopy_notifier"),
    meaning: "The back-end cannot wait for pages that are still at the source.",
    remedy: "Use a back-end with VHOST_USER_PROTOCOL_F_PAGEFAULT (protocol feature 8), or precopy.",
  },
  {
    id: "back-end-state-save",
    format: 'Error saving back-end state of %s device %s (tag: "%s"): ',
    enough: 'Error saving back-end state of %s device %s (tag: "%s")',
    values: ["device", "path", "tag"],
    source: fs("vuf_save_state"),
    meaning: "The back-end could not put its state into the stream.",
    remedy: BACK_END,
    causes: (values) => [`device ${values.text("device")}, tag ${values.text("tag")}`],
  },
  {
    id: "back-end-state-load",
    format: 'Error loading back-end state of %s device %s (tag: "%s"): ',
    enough: 'Error loading back-end state of %s device %s (tag: "%s")',
    values: ["device", "path", "tag"],
    source: fs("vuf_load_state"),
    meaning: "The back-end of the destination refused the state of the source's.",
    remedy: `${BACK_END} Source and destination must share the same directory, with the same options of virtiofsd.`,
    causes: (values) => [`device ${values.text("device")}, tag ${values.text("tag")}`],
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "back-end-state-failed",
    format: "Back-end failed to process its internal state",
    values: [],
    source: user("vhost_user_check_device_state"),
    meaning:
      "The back-end has answered CHECK_DEVICE_STATE with an error: its own state could not be saved or loaded.",
    remedy: BACK_END,
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "back-end-state-unsupported",
    format: 'Back-end of %s device %s (tag: "%s") does not support migration through qemu',
    values: ["device", "path", "tag"],
    source: fs("vuf_check_migration_support"),
    meaning: "The back-end does not negotiate VHOST_USER_PROTOCOL_F_DEVICE_STATE (protocol feature 19).",
    remedy: "Use virtiofsd 1.11 or newer, or unmount and unplug the file system before the migration.",
  },
  {
    id: "vhost-state-unsupported",
    format: "vhost transport does not support migration state transfer",
    values: [],
    source: vhost("vhost_set_device_state_fd"),
    meaning: "This kind of back-end (in the kernel, vDPA) has no way to hand over its state.",
    remedy: "Use a vhost-user back-end, or one without a state of its own.",
  },
  {
    id: "back-end-state-missing",
    format: "Back-end does not support migration state transfer",
    values: [],
    source: user("vhost_user_set_device_state_fd"),
    meaning:
      "The back-end does not negotiate VHOST_USER_PROTOCOL_F_DEVICE_STATE (protocol feature 19), which the one at the other end has.",
    remedy: "Run the same version of the back-end on both sides, with the same features.",
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "back-end-state-refused",
    format: "Back-end did not accept migration state transfer",
    values: [],
    source: user("vhost_user_set_device_state_fd"),
    meaning:
      "The back-end has answered SET_DEVICE_STATE_FD with an error: it does not begin to transfer its state.",
    remedy: `Its virtqueues may still run, or another transfer is going on. ${BACK_END}`,
  },
  {
    id: "back-end-state-receive",
    format: "Failed to receive state",
    values: [],
    source: vhost("vhost_save_backend_state"),
    meaning: "The pipe on which the back-end was to hand over its state broke.",
    remedy: BACK_END,
  },
  {
    id: "back-end-state-send",
    format: "Failed to send state",
    values: [],
    source: vhost("vhost_load_backend_state"),
    meaning: "The pipe on which the back-end was to take its state broke.",
    remedy: `With \`Broken pipe\` the back-end closed it before it had read all of it: it refused what it had read, or crashed. ${BACK_END}`,
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "back-end-check-send",
    format: "Failed to send CHECK_DEVICE_STATE message",
    values: [],
    source: user("vhost_user_check_device_state"),
    meaning: "The back-end closed its connection, or crashed, while its state was transferred.",
    remedy: BACK_END,
  },
  {
    id: "back-end-check-receive",
    format: "Failed to receive CHECK_DEVICE_STATE reply",
    values: [],
    source: user("vhost_user_check_device_state"),
    meaning:
      "The back-end was asked whether the transfer of its state went well, and did not answer: it crashed, most likely.",
    remedy: BACK_END,
  },
  {
    id: "back-end-state-closed",
    format: "Failed to send state: Connection is closed",
    values: [],
    source: vhost("vhost_load_backend_state"),
    meaning: "The back-end closed the pipe before it had all of its state.",
    remedy: `It refused what it had read so far, or crashed. ${BACK_END}`,
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "vhost-user-header",
    format: "Failed to read msg header. Read %d instead of %d. Original request %d.",
    values: ["read", "wanted", "request"],
    source: user("vhost_user_read_header"),
    meaning: "The back-end did not answer: it closed the connection, or crashed.",
    remedy: BACK_END,
    causes: (values) => [
      `the request was ${requestName(values.number("request"))}`,
      values.number("read") <= 0
        ? "the connection was closed or broken"
        : `the answer was cut after ${values.number("read")} bytes`,
    ],
  },
  {
    id: "vhost-user-reply",
    format: "Received unexpected msg type. Expected %d received %d",
    values: ["expected", "received"],
    source: user("process_message_reply"),
    meaning: "The back-end answered another request than the one that was asked: the two are out of step.",
    remedy:
      "Record the session and run `virtwire check` over it: it names the message from which on the answers do not fit.",
    causes: (values) => [
      `expected ${requestName(values.number("expected"))}, received ${requestName(values.number("received"))}`,
    ],
  },
  {
    id: "vhost-ring-restore",
    format: "vhost VQ %u ring restore failed: %d",
    values: ["queue", "error"],
    source: vhost("vhost_virtqueue_stop"),
    meaning: "The back-end was asked how far it has got with a queue (GET_VRING_BASE) and did not answer.",
    remedy: `QEMU takes the used index from memory instead; requests in flight may be lost. ${BACK_END}`,
  },
  {
    id: "vhost-ring-moved",
    format: "%s relocated for ring %d",
    values: ["part", "queue"],
    source: vhost("vhost_verify_ring_mappings"),
    meaning: "The guest's memory moved under a ring that a back-end is working on.",
    remedy: "Memory was plugged or remapped while the device ran: report it, and restart the device.",
  },
];

function requestName(id: number): string {
  return Object.entries(VhostUserFrontendRequest).find(([, value]) => value === id)?.[0] ?? `request ${id}`;
}
