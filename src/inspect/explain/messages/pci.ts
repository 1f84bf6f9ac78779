/** The message about PCI configuration space, which names an offset and nothing else. */
import {
  PCI_CFG_SPACE_EXP_SIZE,
  PCI_CFG_SPACE_SIZE,
  PciCapId,
} from "../../../../generated/virtio/pci-config.js";
import type { Node } from "../../node.js";
import { printPath } from "../../path.js";
import { hex } from "../../report.js";
import type { Capture, Section } from "../capture.js";
import { configBytes, type Register, registerIn, registersAt } from "../config-space.js";
import { type Found, fieldAt, findFields } from "../fields.js";
import type { Message, Place } from "../message.js";
import { type Scene, sectionsOf } from "../scene.js";
import type { Values } from "../values.js";

export const pciMessages: readonly Message[] = [
  {
    id: "pci-config",
    format: "%s: Bad config data: i=0x%x read: %x device: %x cmask: %x wmask: %x w1cmask:%x",
    enough: "Bad config data: i=0x%x read: %x device: %x",
    values: ["offset", "read", "device"],
    source: { project: "QEMU", file: "hw/pci/pci.c", function: "get_pci_config_device" },
    meaning:
      "A byte of PCI configuration space that the guest cannot write differs: the device is built differently at the destination.",
    remedy:
      "Give the device the same properties on both sides: queues and vectors, disable-legacy/disable-modern, the slot and what is plugged into it; and the same machine type, written out with its version, which decides the defaults of all of them.",
    subject: () => ({ state: "PCIDevice" }),
    causes,
    places,
  },
];

function causes(values: Values, scene: Scene): string[] {
  const offset = values.number("offset");
  const found = configsOf(values, scene).flatMap(({ config }) => {
    const register = registerIn(config, offset);
    return register === undefined ? [] : [{ devices: undefined, register }];
  });
  const candidates = found.length > 0 ? found.slice(0, 1) : registersAt(offset);
  if (candidates.length === 0) {
    return [
      `offset ${hex(offset)} lies behind the header, among capabilities of the device; with the stream as FILE the capability is named`,
    ];
  }
  return candidates.flatMap(({ devices, register }) => [
    `${devices === undefined ? "" : `if it is ${devices}: `}${describe(register, offset)}`,
    ...valueCauses(register, offset, values),
  ]);
}

function describe({ capability, capabilityAt, fields }: Register, offset: number): string {
  const names = fields.map(({ name }) => name).join(", ");
  const where =
    capability === "header" ? "the header" : `the ${capability} capability at ${hex(capabilityAt)}`;
  const [field] = fields;
  const byte = field === undefined || field.size === 1 ? "" : `byte ${offset - field.at - capabilityAt} of `;
  return `offset ${hex(offset)} is ${capability === "header" ? byteOf(field, offset) : byte}${names} in ${where}`;
}

function byteOf(field: Node | undefined, offset: number): string {
  return field === undefined || field.size === 1 ? "" : `byte ${offset - field.at} of `;
}

/** What the two bytes mean where that is known. */
function valueCauses(register: Register, offset: number, values: Values): string[] {
  const read = values.number("read");
  const device = values.number("device");
  const relative = offset - register.capabilityAt;
  const names = new Set(register.fields.map(({ name }) => name));
  if (register.id === PciCapId.PCI_CAP_ID_MSIX && names.has("table_size") && relative === 2) {
    return [
      `MSI-X table size: ${read + 1} vectors at the source, ${device + 1} at the destination`,
      "The number of vectors follows the number of queues, and that the number of vCPUs where it is not set: num_queues/num-queues, queues of the netdev, vectors or -smp differ.",
    ];
  }
  if (names.has("sltsta")) {
    const bits = read ^ device;
    return bits === SLOT_OCCUPIED
      ? [
          `presence detect of the slot: ${occupied(read)} at the source, ${occupied(device)} at the destination`,
          "A device was plugged into or out of this port at one side only.",
        ]
      : [];
  }
  return HEADER_CAUSES.filter(([name]) => names.has(name)).map(([, cause]) => cause);
}

/** PCI_EXP_SLTSTA_PDS, in the low byte of the register. */
const SLOT_OCCUPIED = 0x40;

function occupied(byte: number): string {
  return (byte & SLOT_OCCUPIED) === 0 ? "empty" : "occupied";
}

const HEADER_CAUSES: readonly (readonly [field: string, cause: string])[] = [
  ["vendor_id", "It is another device altogether: the devices are plugged into different slots."],
  [
    "device_id",
    "Virtio devices change their device id between legacy or transitional (0x1000 to 0x103f) and modern (0x1040 and up): disable-legacy differs, or the slot is a PCI Express one at one side.",
  ],
  [
    "status",
    "Bit 4 says whether there are capabilities: at one side the device has MSI-X or modern virtio, at the other it has none.",
  ],
  [
    "revision_id",
    "Virtio devices have revision 0 when they are legacy or transitional, 1 when they are modern only: disable-legacy differs.",
  ],
  ["class_prog", "The device models differ in their class."],
  [
    "class_device",
    "The device models differ in their class, e.g. a controller of storage with another class code in older machine types.",
  ],
  ["header_type", "At one side the slot has several functions (multifunction=on)."],
  [
    "base_address",
    "A region of the device has another kind or size: vectors, ROM bar, or modern and legacy virtio differ.",
  ],
  ["subsystem_id", "Virtio devices put their type there: the devices are plugged into different slots."],
  ["subsystem_vendor_id", "The device models differ."],
  [
    "capability_list",
    "The list of capabilities begins elsewhere: at one side the device has one more (MSI-X, PCI Express, modern virtio).",
  ],
  ["interrupt_pin", "At one side the device has no interrupt pin."],
];

interface Config {
  readonly section: Section;
  readonly found: Found;
  readonly config: Uint8Array;
}

/** Configuration spaces in the stream that have this byte at the offset: of the device that failed, or of all. */
function configsOf(values: Values, { subject, file }: Scene): Config[] {
  const offset = values.number("offset");
  const sections =
    subject.section === undefined
      ? (file?.sections ?? [])
      : sectionsOf(file, subject.section, subject.instanceId);
  return sections
    .flatMap((section) =>
      findFields(section, isConfig).map((found) => ({ section, found, config: configBytes(found.node) })),
    )
    .filter(({ config }) => config[offset] === values.number("read"));
}

/** The description's encoding, or the schema's field of a virtio device. */
function isConfig({ name, type, size }: Node): boolean {
  return (
    (type === "pci config" || name === "config") &&
    (size === PCI_CFG_SPACE_SIZE || size === PCI_CFG_SPACE_EXP_SIZE)
  );
}

const MAX_PLACES = 12;

function places(values: Values, scene: Scene): Place[] {
  const { file } = scene;
  if (file === undefined) return [];
  const configs = configsOf(values, scene);
  return configs.slice(0, MAX_PLACES).map((config) => place(file, values, config));
}

function place(file: Capture, values: Values, { section, found, config }: Config): Place {
  const offset = values.number("offset");
  const at = found.node.at + offset;
  const path = printPath((fieldAt(section, at) ?? found).path);
  return { capture: file.name, at, path, text: `${hex(config[offset] ?? 0)} in the stream` };
}
