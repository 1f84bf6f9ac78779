/** Messages about the indices of virtqueues: what the device has saved, against what stands in the guest's memory. */
import { hex } from "../../report.js";
import { fieldPlaces } from "../field-places.js";
import type { Message, Place, Source } from "../message.js";
import { ringCauses, ringPlaces } from "../rings.js";
import { type Scene, subjectPlaces } from "../scene.js";
import type { Values } from "../values.js";

const virtio = (name: string): Source => ({ project: "QEMU", file: "hw/virtio/virtio.c", function: name });

export const virtqueueMessages: readonly Message[] = [
  {
    id: "virtio-queue-index",
    format: "VQ %d size 0x%x Guest index 0x%x inconsistent with Host index 0x%x: delta 0x%x",
    values: ["queue", "size", "guest", "host", "delta"],
    source: virtio("virtio_load"),
    needsRings: true,
    meaning:
      "The device claims to have taken more buffers than the driver has made available, or the ring in guest memory is older than the device's state. QEMU loads the rest all the same; the device is broken until the guest's driver resets it.",
    remedy:
      "Memory and device state are not of one moment. Look for a back-end that went on writing after the state was saved, for a page that was dirtied and not sent, for disks or snapshots of different times, and for bugs of old devices (the statistics queue of virtio-balloon before QEMU 2.8).",
    causes: (values, scene) => [...indexCauses(values), ...ringCauses(queueOf(values, "host"), scene)],
    places: (values, scene) => queuePlaces(values, scene, "host", "what the device has taken"),
  },
  {
    id: "virtio-queue-inuse",
    format: "VQ %d size 0x%x < last_avail_idx 0x%x - used_idx 0x%x",
    values: ["queue", "size", "avail", "used"],
    source: virtio("virtio_load"),
    needsRings: true,
    meaning: "More requests would be in flight than the queue has entries.",
    remedy:
      "As for inconsistent indices: memory and device state are not of one moment, or the stream is damaged.",
    causes: (values, scene) => [
      `${wrapped(values.number("avail") - values.number("used"))} in flight, the queue has ${values.number("size")} entries`,
      ...ringCauses(queueOf(values, "avail"), scene),
    ],
    places: (values, scene) => queuePlaces(values, scene, "avail", "what the device has taken"),
  },
  {
    id: "virtio-queue-address",
    format: "VQ %d address 0x0 inconsistent with Host index 0x%x",
    values: ["queue", "host"],
    source: virtio("virtio_load"),
    meaning: "A queue that is not set up has a position.",
    remedy: "The destination read another layout than the source wrote, or the stream is damaged.",
    places: (values, scene) => statePlaces(values, scene, "host", "a position without a ring"),
  },
  {
    id: "virtio-queue-count",
    format: "Invalid number of virtqueues: 0x%x",
    values: ["count"],
    source: virtio("virtio_load"),
    meaning: "No device has so many queues: the destination is out of step inside this device.",
    remedy:
      "The transports differ (PCI, CCW, MMIO), MSI-X is on at one side only, or the configuration has another length: use the same machine type and device model on both sides.",
    places: (_, scene) => subjectPlaces(scene),
  },
];

function indexCauses(values: Values): string[] {
  const guest = values.number("guest");
  const host = values.number("host");
  const size = values.number("size");
  const delta = wrapped(guest - host);
  const behind = 0x10000 - delta;
  return [
    `the driver has made ${guest} (${hex(guest)}) buffers available, the device has taken ${host} (${hex(host)}), both modulo 65536; ${delta} may be waiting, at most ${size}`,
    delta > 0x8000
      ? `the device is ${behind} ${behind === 1 ? "buffer" : "buffers"} ahead of the ring: the page of the ring in guest memory is older than the device's state`
      : `the ring is ${delta} buffers ahead, more than it holds: the device's state is older than the memory, or belongs to another ring`,
  ];
}

function wrapped(difference: number): number {
  return difference & 0xffff;
}

/** `position`: the name of the value that says where the device stands. */
function queueOf(values: Values, position: string): Parameters<typeof ringCauses>[0] {
  return { index: values.number("queue"), size: values.number("size"), taken: values.number(position) };
}

function queuePlaces(values: Values, scene: Scene, position: string, text: string): Place[] {
  return [...statePlaces(values, scene, position, text), ...ringPlaces(queueOf(values, position), scene)];
}

function statePlaces(values: Values, scene: Scene, position: string, text: string): Place[] {
  const index = values.number(position);
  const queue = values.number("queue");
  const exact = fieldPlaces(
    scene,
    (node) => node.name === "last_avail_idx" && Number(node.value) === index,
    text,
  ).filter(({ path }) => path?.includes(`[${queue}].`) ?? false);
  return exact.length > 0 ? exact : subjectPlaces(scene);
}
