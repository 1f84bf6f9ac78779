/** Messages about virtio devices: features, and what the devices themselves refuse. */

import { deviceOfMask } from "../../features.js";
import { hex } from "../../report.js";
import { bitTexts } from "../devices.js";
import { valuePlaces } from "../field-places.js";
import { findFields } from "../fields.js";
import type { Message, Source } from "../message.js";
import { type Scene, sectionsOf, subjectPlaces } from "../scene.js";
import type { Values } from "../values.js";

const virtio = (name: string): Source => ({ project: "QEMU", file: "hw/virtio/virtio.c", function: name });
const net = (name: string): Source => ({ project: "QEMU", file: "hw/net/virtio-net.c", function: name });
const mem = (name: string): Source => ({ project: "QEMU", file: "hw/virtio/virtio-mem.c", function: name });

export const virtioMessages: readonly Message[] = [
  {
    id: "virtio-features",
    format: "Features 0x%llx unsupported. Allowed features: 0x%llx",
    values: ["features", "allowed"],
    source: virtio("virtio_load"),
    meaning:
      "The guest has negotiated features with the source that the destination's device does not offer.",
    remedy:
      "Start the destination with the device properties and the machine type of the source. Where the host decides (vhost, tap offloads), turn the feature off at the source by its property: that takes effect when the guest has restarted.",
    causes: featureCauses,
    places: (values, scene) =>
      valuePlaces(scene, ["guest_features"], acceptedFeatures(values, scene), "what the guest has accepted"),
  },
  {
    id: "net-vnet-header",
    format: "virtio-net: saved image requires vnet_hdr=on",
    values: [],
    source: net("virtio_net_vnet_post_load"),
    meaning: "The guest's driver uses headers that the destination's back-end (netdev) cannot pass on.",
    remedy: "Use a tap or vhost back-end with vnet_hdr=on at the destination, as at the source.",
    subject: () => ({ state: "virtio-net" }),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "net-ufo",
    format: "virtio-net: saved image requires TUN_F_UFO support",
    values: [],
    source: net("virtio_net_ufo_post_load"),
    meaning: "The guest uses UDP fragmentation offload, and the destination's tap has none.",
    remedy:
      "The kernels of the hosts differ. Turn host_ufo, guest_ufo off at the source: that takes effect when the guest has restarted.",
    subject: () => ({ state: "virtio-net" }),
    causes: (_, { device }) => bitTexts((1n << 10n) | (1n << 14n), device),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "net-queue-pairs",
    format: "virtio-net: curr_queue_pairs %x > max_queue_pairs %x",
    values: ["current", "max"],
    source: net("virtio_net_tx_waiting_pre_load"),
    meaning: "The guest uses more pairs of queues than the destination's device has.",
    remedy: "Give the netdev of the destination as many queues as that of the source.",
    subject: () => ({ state: "virtio-net" }),
    causes: (values) => [`${values.number("current")} in use, ${values.number("max")} at the destination`],
    places: (values, scene) =>
      valuePlaces(scene, ["curr_queue_pairs"], values.big("current"), "pairs that the guest uses"),
  },
  {
    id: "blk-request-queue",
    format: "Invalid virtqueue index in request list: %#x",
    values: ["queue"],
    source: { project: "QEMU", file: "hw/block/virtio-blk.c", function: "virtio_blk_load_device" },
    meaning: "A request in flight belongs to a queue that the destination's disk does not have.",
    remedy:
      "Set num-queues of virtio-blk the same on both sides: without it, it follows the number of vCPUs.",
    subject: () => ({ state: "virtio-blk" }),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "scsi-request",
    format: "invalid SCSI request migration data",
    values: [],
    source: { project: "QEMU", file: "hw/scsi/virtio-scsi.c", function: "virtio_scsi_load_request" },
    meaning: "A SCSI request in flight is shorter than the sizes of its headers say.",
    remedy:
      "cdb_size and sense_size, which the guest sets, are read before: the destination is out of step, or the stream is damaged.",
    subject: () => ({ state: "virtio-scsi" }),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "mem-property",
    format: "Property '%s' changed from 0x%llx to 0x%llx",
    values: ["property", "source", "local"],
    source: mem("virtio_mem_mig_sanity_checks_post_load"),
    meaning: "A virtio-mem device is configured differently at the destination.",
    remedy: "Give it the same memaddr, block-size, node and memory backend on both sides.",
    subject: () => ({ state: "virtio-mem" }),
    causes: (values) => [
      `${values.text("property")}: ${hex(values.big("source"))} at the source, ${hex(values.big("local"))} at the destination`,
    ],
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "mem-size",
    format: "Property '%s' size changed from 0x%llx to 0x%llx",
    values: ["property", "source", "local"],
    source: mem("virtio_mem_mig_sanity_checks_post_load"),
    meaning: "The memory backend of a virtio-mem device has another size at the destination.",
    remedy: "Give it a memory backend of the same size on both sides.",
    subject: () => ({ state: "virtio-mem" }),
    causes: (values) => [
      `${hex(values.big("source"))} bytes at the source, ${hex(values.big("local"))} at the destination`,
    ],
    places: (_, scene) => subjectPlaces(scene),
  },
];

/**
 * Where the bits come from that are lacking most often: the property that decides, and since when it is on.
 * @source QEMU 10.0.2, hw/core/machine.c (hw_compat_*), hw/net/virtio-net.c, include/hw/virtio/virtio.h
 */
const ORIGINS: readonly (readonly [mask: bigint, origin: string])[] = [
  [
    (1n << 54n) | (1n << 55n) | (1n << 56n),
    "UDP segmentation offload (guest_uso4, guest_uso6, host_uso): on since machine types 8.2, where the host's tap has TUN_F_USO4 and TUN_F_USO6 (Linux 6.2 and newer): the kernels of the hosts decide too.",
  ],
  [
    1n << 40n,
    "VIRTIO_F_RING_RESET: property queue_reset, on since machine types 7.2; QEMU 7.1 and older have none, and vhost back-ends may lack it.",
  ],
  [1n << 34n, "VIRTIO_F_RING_PACKED: property packed, off unless it is asked for."],
  [1n << 35n, "VIRTIO_F_IN_ORDER: property in_order, off unless it is asked for."],
  [1n << 33n, "VIRTIO_F_ACCESS_PLATFORM: property iommu_platform."],
  [
    1n << 32n,
    "VIRTIO_F_VERSION_1: the destination's device is legacy: property disable-modern, or a machine type up to 2.6.",
  ],
  [1n << 29n, "VIRTIO_F_EVENT_IDX: property event_idx, or a vhost back-end without it."],
];

/**
 * What the guest has accepted. QEMU 11.1 prints the number without the bits that the destination lacks, the very ones that
 * are asked for; the stream has them all.
 */
function acceptedFeatures(values: Values, { file, subject }: Scene): bigint {
  const features = values.big("features");
  const [section] = subject.section === undefined ? [] : sectionsOf(file, subject.section);
  if ((features & ~values.big("allowed")) !== 0n || section === undefined) return features;
  const saved = (...names: string[]): bigint | undefined => {
    const [found] = findFields(section, ({ name }) => names.includes(name));
    const value = found?.node.value;
    return typeof value === "bigint" || typeof value === "number" ? BigInt(value) : undefined;
  };
  const low = saved("guest_features") ?? saved("guest_features_lo");
  return low === undefined ? features : low | ((saved("guest_features_hi") ?? 0n) << 64n);
}

function featureCauses(values: Values, scene: Scene): string[] {
  const { subject, device } = scene;
  const features = acceptedFeatures(values, scene);
  const allowed = values.big("allowed");
  const lacking = features & ~allowed;
  const unused = allowed & ~features;
  const type = device ?? deviceOfMask(features | allowed);
  const causes = [
    lacking === 0n
      ? "Every bit is allowed: one of the numbers is not whole, or QEMU 11 has left out the bits that are lacking. With the stream, they are looked up there."
      : `accepted by the guest, not offered by the destination: ${bitTexts(lacking, type).join("; ")}`,
  ];
  if (subject.state === "virtio-net" || type !== undefined || device !== undefined)
    causes.push(...ORIGINS.filter(([mask]) => (lacking & mask) !== 0n).map(([, origin]) => origin));
  else
    causes.push(...ORIGINS.filter(([mask]) => (lacking & mask & COMMON) !== 0n).map(([, origin]) => origin));
  if (unused !== 0n) causes.push(`offered, and not used by the guest: ${bitTexts(unused, type).join("; ")}`);
  if (type === undefined)
    causes.push(
      "The line does not say which type of device it is: --device TYPE names the bits below 24 and above 49.",
    );
  return causes;
}

/** Bits that mean the same for every type of device. */
const COMMON = ((1n << 50n) - 1n) ^ ((1n << 24n) - 1n);
