/** What is known to differ between the schemas and the kernel's headers, and why. */

/** Structures of ours that have another name in the kernel. */
export const SAME_LAYOUT: Readonly<Record<string, string>> = {};

/** `struct.field @our offset` or `sizeof struct @our size`, and the reason. */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  "sizeof vring_avail in 6..131076 @1": "the kernel leaves used_event, after the ring, to a macro",
  "sizeof vring_used in 6..524286 @1": "the kernel leaves avail_event, after the ring, to a macro",
};

const CLASS_AND_COMMAND = "the schemas join the class and the command of a control message into one number";

/** `NAME = our value` of members that the kernel defines with another, and the reason. */
export const NUMBER_DIFFERENCES: Readonly<Record<string, string>> = {
  "VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET = 1280": CLASS_AND_COMMAND,
  "VIRTIO_NET_CTRL_NOTF_COAL_TX_SET = 1536": CLASS_AND_COMMAND,
  "VIRTIO_NET_CTRL_NOTF_COAL_RX_SET = 1537": CLASS_AND_COMMAND,
  "VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET = 1538": CLASS_AND_COMMAND,
  "VIRTIO_NET_CTRL_NOTF_COAL_VQ_GET = 1539": CLASS_AND_COMMAND,
  "VIRTIO_NET_CTRL_STATS_QUERY = 2048": CLASS_AND_COMMAND,
  "VIRTIO_NET_CTRL_STATS_GET = 2049": CLASS_AND_COMMAND,
  "VIRTIO_ADMIN_CMD_DEV_MODE_SET = 8": "the draft series gives the command another opcode than virtio 1.4",
};
