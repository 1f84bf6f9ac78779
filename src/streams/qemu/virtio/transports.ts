/** The transports: what each puts in front of the common part, and how to tell which one a state begins with. */
import {
  type QemuVirtioCcw,
  type QemuVirtioMmio,
  type QemuVirtioPci,
  readQemuVirtioCcw,
  readQemuVirtioMmio,
  readQemuVirtioMmioState,
  readQemuVirtioPci,
  readQemuVirtioPciModernState,
  readQemuVirtioPciModernStateFeatures128,
  scanQemuVirtioCcw,
  scanQemuVirtioMmio,
  scanQemuVirtioMmioState,
  scanQemuVirtioPci,
  scanQemuVirtioPciModernState,
  scanQemuVirtioPciModernStateFeatures128,
  sizeofQemuVirtioCcw,
  sizeofQemuVirtioMmio,
  sizeofQemuVirtioMmioState,
  sizeofQemuVirtioPci,
  sizeofQemuVirtioPciModernState,
  sizeofQemuVirtioPciModernStateFeatures128,
  walkQemuPciDevice,
  walkQemuVirtioCcw,
  walkQemuVirtioMmio,
  walkQemuVirtioMmioState,
  walkQemuVirtioPci,
  walkQemuVirtioPciModernState,
  walkQemuVirtioPciModernStateFeatures128,
  writeQemuVirtioCcw,
  writeQemuVirtioMmio,
  writeQemuVirtioMmioState,
  writeQemuVirtioPci,
  writeQemuVirtioPciModernState,
  writeQemuVirtioPciModernStateFeatures128,
} from "../../../../generated/qemu/virtio/transports.js";
import { PCI_CFG_SPACE_SIZE } from "../../../../generated/virtio/pci-config.js";
import { type FieldValue, Reader, type Site, type Visitor } from "../../../runtime/index.js";
import { Capture, Relay } from "../relay.js";
import { type Layout, layout } from "./layout.js";
import { type PciTraits, pciTraits, walkPciConfig } from "./pci-config.js";
import { type Vmstate, vmstate } from "./vmstate.js";

export type VirtioTransport = PciTransport | MmioTransport | CcwTransport;

interface Common<T> {
  readonly layout: Layout<T>;
  /** Queues have an alignment. */
  readonly hasAlignment: boolean;
  /** How many vectors queues can have; 0 for none. */
  readonly vectors: number;
}

interface PciTransport extends Common<QemuVirtioPci>, PciTraits {
  readonly kind: "pci";
}

interface MmioTransport extends Common<QemuVirtioMmio> {
  readonly kind: "mmio";
}

interface CcwTransport extends Common<QemuVirtioCcw> {
  readonly kind: "ccw";
}

/**
 * The transports that the state may begin with. `idstr`: the name of its section, which holds the place of the device on
 * its bus; where that is of a known form, damage shall not make a PCI device one of another kind.
 */
export function transportsOf(idstr: string, reader: Reader): VirtioTransport[] {
  const all: (readonly [RegExp, VirtioTransport])[] = [
    [/^pci@|^([0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\./, pciOf(reader)],
    [/^virtio-mmio@|\.virtio-mmio/, MMIO],
    [
      /^\/?[0-9a-f]{1,2}\.[0-9a-f]\.[0-9a-f]{4}\//,
      CCWS.find(({ layout: ccw }) => fits(ccw, reader)) ?? ccwTransport(true, true),
    ],
  ];
  const named = all.filter(([form]) => form.test(idstr));
  return (named.length > 0 ? named : all).map(([, transport]) => transport);
}

/** What is damaged in front of the configuration space does not matter to what it says. */
function pciOf(reader: Reader): PciTransport {
  const { at, end, depth } = reader;
  const capture = new Capture("config");
  walkQemuPciDevice(reader, capture, PCI_CFG_SPACE_SIZE);
  reader.rewind(at, end, depth);
  const { bytes } = capture;
  return pciTransport(
    bytes === undefined ? { configSize: PCI_CFG_SPACE_SIZE, msixVectors: 0 } : pciTraits(bytes),
  );
}

function fits(of: Layout, reader: Reader): boolean {
  const { at, end, depth } = reader;
  const sound = of.scan(reader);
  reader.rewind(at, end, depth);
  return sound;
}

const PCI = {
  scan: scanQemuVirtioPci,
  read: readQemuVirtioPci,
  walk: (reader: Reader, visitor: Visitor, configSize: number, msixVectors: number) =>
    walkQemuVirtioPci(reader, new ConfigSpace(visitor, reader), configSize, msixVectors),
  sizeof: sizeofQemuVirtioPci,
  write: writeQemuVirtioPci,
};

function pciTransport({ configSize, msixVectors }: PciTraits): PciTransport {
  return {
    kind: "pci",
    configSize,
    msixVectors,
    layout: layout("qemu_virtio_pci", PCI, configSize, msixVectors),
    hasAlignment: false,
    vectors: msixVectors,
  };
}

/** Looks into the configuration space, which is a string of bytes to the struct around it. */
class ConfigSpace extends Relay {
  private readonly reader: Reader;

  constructor(target: Visitor, reader: Reader) {
    super(target);
    this.reader = reader;
  }

  override field(site: Site, index: number, at: number, size: number, value: FieldValue): void {
    if (site.name !== "config") {
      this.target.field(site, index, at, size, value);
      return;
    }
    const inner = new Reader(this.reader.bytes, { base: this.reader.base });
    inner.rewind(at, at + size, 0);
    this.target.open(site, index, at);
    walkPciConfig(inner, this.target);
    this.target.close(at + size);
  }
}

const MMIO: MmioTransport = {
  kind: "mmio",
  layout: layout("qemu_virtio_mmio", {
    scan: scanQemuVirtioMmio,
    read: readQemuVirtioMmio,
    walk: walkQemuVirtioMmio,
    sizeof: sizeofQemuVirtioMmio,
    write: writeQemuVirtioMmio,
  }),
  hasAlignment: true,
  vectors: 0,
};

/** Indicators of CCW devices have no number that the state tells. */
const ANY_VECTOR = 0xffff;

function ccwTransport(hasOrb: boolean, hasSummaryOffset: boolean): CcwTransport {
  const generated = {
    scan: scanQemuVirtioCcw,
    read: readQemuVirtioCcw,
    walk: walkQemuVirtioCcw,
    sizeof: sizeofQemuVirtioCcw,
    write: writeQemuVirtioCcw,
  };
  return {
    kind: "ccw",
    layout: layout("qemu_virtio_ccw", generated, hasOrb, hasSummaryOffset),
    hasAlignment: false,
    vectors: ANY_VECTOR,
  };
}

/** Where a subsection can begin, other bytes stand without it: one of these fits at most. */
const CCWS: readonly CcwTransport[] = [
  ccwTransport(true, true),
  ccwTransport(true, false),
  ccwTransport(false, true),
  ccwTransport(false, false),
];

/** What the subsection `virtio/extra_state` of the transports holds: a state without fields. */
export const EXTRA_STATES: readonly Vmstate[] = [
  vmstate(
    "virtio_pci/modern_state",
    layout("qemu_virtio_pci_modern_state", {
      scan: scanQemuVirtioPciModernState,
      read: readQemuVirtioPciModernState,
      walk: walkQemuVirtioPciModernState,
      sizeof: sizeofQemuVirtioPciModernState,
      write: writeQemuVirtioPciModernState,
    }),
    vmstate(
      "virtio_pci/modern_state/features128",
      layout("qemu_virtio_pci_modern_state_features128", {
        scan: scanQemuVirtioPciModernStateFeatures128,
        read: readQemuVirtioPciModernStateFeatures128,
        walk: walkQemuVirtioPciModernStateFeatures128,
        sizeof: sizeofQemuVirtioPciModernStateFeatures128,
        write: writeQemuVirtioPciModernStateFeatures128,
      }),
    ),
  ),
  vmstate(
    "virtio_mmio/state",
    layout("qemu_virtio_mmio_state", {
      scan: scanQemuVirtioMmioState,
      read: readQemuVirtioMmioState,
      walk: walkQemuVirtioMmioState,
      sizeof: sizeofQemuVirtioMmioState,
      write: writeQemuVirtioMmioState,
    }),
  ),
];
