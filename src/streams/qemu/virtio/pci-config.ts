/**
 * PCI configuration space inside a saved state: how large it is and how many MSI-X vectors follow it are told by the
 * capabilities in it, and its fields are reported by following them.
 */
import {
  PCI_CFG_SPACE_EXP_SIZE,
  PCI_CFG_SPACE_SIZE,
  PCI_CONFIG_HEADER_SIZE,
  PciCapId,
  PciStatus,
  readPciCapHeader,
  readPciConfigHeader,
  readPciMsixCap,
  scanPciCapHeader,
  scanPciExpCap,
  scanPciMsixCap,
  scanPciPmCap,
  walkPciCapHeader,
  walkPciConfigHeader,
  walkPciExpCap,
  walkPciMsixCap,
  walkPciPmCap,
} from "../../../../generated/virtio/pci-config.js";
import { Reader, type Site, type Visitor } from "../../../runtime/index.js";
import { vendorCapability } from "./pci-vendor-capability.js";

/** What the saved state depends on. */
export interface PciTraits {
  /** Bytes of configuration space. */
  readonly configSize: number;
  /** 0 without MSI-X. */
  readonly msixVectors: number;
}

/** How a capability is read, once its id is known. */
export interface CapabilityCodec {
  readonly type: string;
  readonly scan: (reader: Reader) => boolean;
  readonly walk: (reader: Reader, visitor: Visitor) => boolean;
}

const SCHEMA = "virtio/pci-config.wire";
/** Capabilities are aligned to four bytes. */
const ALIGNMENT = 4;
const KNOWN: ReadonlyMap<number, CapabilityCodec> = new Map([
  [PciCapId.PCI_CAP_ID_PM, { type: "pci_pm_cap", scan: scanPciPmCap, walk: walkPciPmCap }],
  [PciCapId.PCI_CAP_ID_EXP, { type: "pci_exp_cap", scan: scanPciExpCap, walk: walkPciExpCap }],
  [PciCapId.PCI_CAP_ID_MSIX, { type: "pci_msix_cap", scan: scanPciMsixCap, walk: walkPciMsixCap }],
]);
const BARE: CapabilityCodec = { type: "pci_cap_header", scan: scanPciCapHeader, walk: walkPciCapHeader };

interface Capability {
  readonly at: number;
  readonly id: number;
}

/** `space`: the first 256 bytes of configuration space at least. */
export function pciTraits(space: Uint8Array): PciTraits {
  const found = capabilities(space);
  const isExpress = found.some(({ id }) => id === PciCapId.PCI_CAP_ID_EXP);
  const msix = found.find(({ id }) => id === PciCapId.PCI_CAP_ID_MSIX);
  const reader = msix && new Reader(space.subarray(msix.at));
  return {
    configSize: isExpress ? PCI_CFG_SPACE_EXP_SIZE : PCI_CFG_SPACE_SIZE,
    msixVectors: reader !== undefined && scanPciMsixCap(reader) ? msixVectors(space, msix?.at ?? 0) : 0,
  };
}

function msixVectors(space: Uint8Array, at: number): number {
  return readPciMsixCap(new Reader(space.subarray(at))).tableSize + 1;
}

/** The list may be damaged: what lies outside, or was there before, ends it. */
function capabilities(space: Uint8Array): Capability[] {
  const found: Capability[] = [];
  const { status, capabilityList } = readPciConfigHeader(new Reader(space));
  if ((status & PciStatus.PCI_STATUS_CAP_LIST) === 0) return found;
  let at = aligned(capabilityList);
  while (at >= PCI_CONFIG_HEADER_SIZE && found.every((capability) => capability.at !== at)) {
    const { id, next } = readPciCapHeader(new Reader(space.subarray(at)));
    found.push({ at, id });
    at = aligned(next);
  }
  return found;
}

function aligned(pointer: number): number {
  return pointer - (pointer % ALIGNMENT);
}

/** Reports every byte from the reader's cursor to its end. */
export function walkPciConfig(reader: Reader, visitor: Visitor): void {
  const { at: start, end } = reader;
  const space = reader.bytes.subarray(start, end);
  named(visitor, reader, "header", "pci_config_header", walkPciConfigHeader);
  for (const { at, id } of capabilities(space).sort((a, b) => a.at - b.at)) {
    // Of two that overlap the one that begins first is shown; which of them is damaged cannot be told.
    if (start + at < reader.at) continue;
    rest(visitor, reader, start + at, start);
    const codec = codecOf(space.subarray(at), id);
    named(visitor, reader, placed("capability", at), codec.type, codec.walk);
  }
  rest(visitor, reader, Math.min(end, start + PCI_CFG_SPACE_SIZE), start);
  rest(visitor, reader, end, start);
}

/** Several of one kind are told apart by where they are, as lspci does. */
function placed(name: string, at: number): string {
  return `${name}_${at.toString(16).padStart(2, "0")}`;
}

function codecOf(bytes: Uint8Array, id: number): CapabilityCodec {
  const codec = id === PciCapId.PCI_CAP_ID_VNDR ? vendorCapability(bytes) : KNOWN.get(id);
  return codec?.scan(new Reader(bytes)) ? codec : BARE;
}

function named(
  visitor: Visitor,
  reader: Reader,
  name: string,
  type: string,
  walk: CapabilityCodec["walk"],
): void {
  visitor.open({ name, type, schema: SCHEMA }, -1, reader.at);
  walk(reader, visitor);
  visitor.close(reader.at);
}

/** What no capability claims: registers of the device, mostly zero. */
function rest(visitor: Visitor, reader: Reader, to: number, start: number): void {
  const { at } = reader;
  if (to <= at) return;
  const name = placed("registers", at - start);
  const site: Site = { name, type: `u8[${to - at}]`, schema: SCHEMA, role: "reserved" };
  visitor.field(site, -1, at, to - at, reader.slice(to - at));
}
