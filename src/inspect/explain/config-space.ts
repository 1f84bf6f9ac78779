/**
 * What stands at an offset of PCI configuration space: QEMU's error about it names nothing else. With the bytes, the list
 * of capabilities is followed; without them, the offset is looked up in the layouts that QEMU gives its own devices.
 */
import {
  encodePciCapHeader,
  PCI_CFG_SPACE_SIZE,
  PciCapId,
  readPciCapHeaderAt,
  readPciConfigHeaderAt,
  scanPciExpCap,
  scanPciMsiCap,
  scanPciMsixCap,
  scanPciPmCap,
  scanPciSsvidCap,
  walkPciBridgeHeader,
  walkPciConfigHeader,
  walkPciExpCap,
  walkPciMsiCap,
  walkPciMsixCap,
  walkPciPmCap,
  walkPciSsvidCap,
} from "../../../generated/virtio/pci-config.js";
import { Reader, type Visitor } from "../../runtime/index.js";
import { type Node, TreeBuilder } from "../node.js";

export interface Register {
  /** E.g. `MSI-X`; `header` for what is in front of the capabilities. */
  readonly capability: string;
  readonly capabilityAt: number;
  readonly id: PciCapId | undefined;
  /** The fields of which the byte is a part: one, or several bit fields. */
  readonly fields: readonly Node[];
}

interface Known {
  readonly id: PciCapId;
  readonly name: string;
  readonly scan: (reader: Reader) => boolean;
  readonly walk: (reader: Reader, visitor: Visitor) => boolean;
}

const KNOWN: readonly Known[] = [
  { id: PciCapId.PCI_CAP_ID_PM, name: "power management", scan: scanPciPmCap, walk: walkPciPmCap },
  { id: PciCapId.PCI_CAP_ID_MSI, name: "MSI", scan: scanPciMsiCap, walk: walkPciMsiCap },
  {
    id: PciCapId.PCI_CAP_ID_SSVID,
    name: "subsystem of a bridge",
    scan: scanPciSsvidCap,
    walk: walkPciSsvidCap,
  },
  { id: PciCapId.PCI_CAP_ID_EXP, name: "PCI Express", scan: scanPciExpCap, walk: walkPciExpCap },
  { id: PciCapId.PCI_CAP_ID_MSIX, name: "MSI-X", scan: scanPciMsixCap, walk: walkPciMsixCap },
];

/** Bytes of the header, and of what leads a capability. */
const HEADER_SIZE = 64;
const HEAD_SIZE = 2;
/** The two lowest bits of a pointer do not count. */
const POINTER = 0xfc;
/** In the header's type; the bit above says that there are more functions. */
const LAYOUT = 0x7f;
const BRIDGE = 1;

/** Where QEMU puts the capabilities of its own devices. Vendor-specific ones have no registers that differ. */
interface Layout {
  readonly devices: string;
  readonly capabilities: readonly (readonly [at: number, id: PciCapId])[];
}

/** @source QEMU 10.0.2, the order of pci_add_capability in virtio_pci_realize, virtio_pci_device_plugged and rp_realize */
const LAYOUTS: readonly Layout[] = [
  {
    devices: "a virtio device on a root bus or a conventional one",
    capabilities: [[0x98, PciCapId.PCI_CAP_ID_MSIX]],
  },
  {
    devices: "a virtio device behind a PCI Express port",
    capabilities: [
      [0x40, PciCapId.PCI_CAP_ID_EXP],
      [0x7c, PciCapId.PCI_CAP_ID_PM],
      [0xdc, PciCapId.PCI_CAP_ID_MSIX],
    ],
  },
  { devices: "a legacy virtio device", capabilities: [[0x40, PciCapId.PCI_CAP_ID_MSIX]] },
  {
    devices: "a pcie-root-port",
    capabilities: [
      [0x40, PciCapId.PCI_CAP_ID_SSVID],
      [0x48, PciCapId.PCI_CAP_ID_MSIX],
      [0x54, PciCapId.PCI_CAP_ID_EXP],
    ],
  },
  { devices: "an ioh3420 or xio3130 port", capabilities: [[0x90, PciCapId.PCI_CAP_ID_EXP]] },
];

/** The bytes of a field that holds a configuration space, put together again where its registers are shown one by one. */
export function configBytes(space: Node): Uint8Array {
  if (space.value instanceof Uint8Array) return space.value;
  const bytes = new Uint8Array(space.size);
  const visit = (node: Node): void => {
    const { value, children, size, bit = 0 } = node;
    const at = node.at - space.at;
    if (children !== undefined) children.forEach(visit);
    else if (value instanceof Uint8Array) bytes.set(value, at);
    else if (typeof value === "number" || typeof value === "bigint") {
      // Bit fields share their bytes with others.
      let left = BigInt.asUintN(size * 8, BigInt(value) << BigInt(bit));
      for (let i = at; i < at + size; i++) {
        bytes[i] = (bytes[i] ?? 0) | Number(left & 0xffn);
        left >>= 8n;
      }
    }
  };
  visit(space);
  return bytes;
}

/** The register at `offset` of this configuration space; undefined where no known one is. */
export function registerIn(config: Uint8Array, offset: number): Register | undefined {
  if (offset < HEADER_SIZE) return header(config, offset);
  for (const at of capabilityList(config)) {
    const register = capability(config.subarray(at, PCI_CFG_SPACE_SIZE), at, offset);
    if (register !== undefined) return register;
  }
  return undefined;
}

/** What could be at `offset`, with the devices for which that holds. */
export function registersAt(
  offset: number,
): readonly { readonly devices: string; readonly register: Register }[] {
  if (offset < HEADER_SIZE) {
    const register = header(new Uint8Array(HEADER_SIZE), offset);
    return register === undefined ? [] : [{ devices: "any device", register }];
  }
  return LAYOUTS.flatMap(({ devices, capabilities }) =>
    capabilities.flatMap(([at, id]) => {
      const bytes = new Uint8Array(PCI_CFG_SPACE_SIZE - at);
      bytes.set(encodePciCapHeader({ id, next: 0 }));
      const register = capability(bytes, at, offset);
      return register === undefined ? [] : [{ devices, register }];
    }),
  );
}

/** Offsets of the capabilities, in the order of the list. A list that runs in a circle ends where it closes. */
function capabilityList(config: Uint8Array): Set<number> {
  const found = new Set<number>();
  const reader = new Reader(config);
  // A bridge has the pointer at the same place.
  let at = readPciConfigHeaderAt(reader, 0).capabilityList & POINTER;
  while (at >= HEADER_SIZE && at + HEAD_SIZE <= PCI_CFG_SPACE_SIZE && !found.has(at)) {
    found.add(at);
    at = readPciCapHeaderAt(reader, at).next & POINTER;
  }
  return found;
}

function header(config: Uint8Array, offset: number): Register | undefined {
  const { headerType } = readPciConfigHeaderAt(new Reader(config), 0);
  const walk = (headerType & LAYOUT) === BRIDGE ? walkPciBridgeHeader : walkPciConfigHeader;
  const fields = fieldsAt(config.subarray(0, HEADER_SIZE), walk, offset);
  return fields.length === 0 ? undefined : { capability: "header", capabilityAt: 0, id: undefined, fields };
}

/** `bytes` begin with the capability, which stands at `at`. */
function capability(bytes: Uint8Array, at: number, offset: number): Register | undefined {
  const { id } = readPciCapHeaderAt(new Reader(bytes), 0);
  const known = KNOWN.find((one) => one.id === id);
  if (known === undefined) return undefined;
  const reader = new Reader(bytes);
  if (!known.scan(reader) || offset < at || offset >= at + reader.at) return undefined;
  const fields = fieldsAt(bytes, known.walk, offset - at);
  return fields.length === 0 ? undefined : { capability: known.name, capabilityAt: at, id, fields };
}

function fieldsAt(bytes: Uint8Array, walk: Known["walk"], offset: number): Node[] {
  const tree = new TreeBuilder(0);
  walk(new Reader(bytes), tree);
  const found: Node[] = [];
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      if (offset < node.at || offset >= node.at + node.size) continue;
      if (node.children !== undefined) visit(node.children);
      else if (hasBitsIn(node, offset)) found.push(node);
    }
  };
  visit(tree.roots);
  return found;
}

/** Of the bit fields of one register, those that have bits in this byte of it. */
function hasBitsIn({ at, bit, width = 0 }: Node, offset: number): boolean {
  if (bit === undefined) return true;
  const first = (offset - at) * 8;
  return bit < first + 8 && bit + width > first;
}
