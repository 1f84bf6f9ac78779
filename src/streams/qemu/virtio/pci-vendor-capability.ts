/** The capabilities that say where a virtio device has its structures: vendor-specific ones, with a type of their own. */
import { VirtioPciCapType } from "../../../../generated/virtio/ids.js";
import {
  readVirtioPciCap,
  scanVirtioPciCap,
  scanVirtioPciCap64,
  scanVirtioPciCfgCap,
  scanVirtioPciNotifyCap,
  scanVirtioPciVndrData,
  walkVirtioPciCap,
  walkVirtioPciCap64,
  walkVirtioPciCfgCap,
  walkVirtioPciNotifyCap,
  walkVirtioPciVndrData,
} from "../../../../generated/virtio/pci.js";
import { Reader } from "../../../runtime/index.js";
import type { CapabilityCodec } from "./pci-config.js";

const KNOWN: ReadonlyMap<number, CapabilityCodec> = new Map([
  [
    VirtioPciCapType.VIRTIO_PCI_CAP_NOTIFY_CFG,
    { type: "virtio_pci_notify_cap", scan: scanVirtioPciNotifyCap, walk: walkVirtioPciNotifyCap },
  ],
  [
    VirtioPciCapType.VIRTIO_PCI_CAP_PCI_CFG,
    { type: "virtio_pci_cfg_cap", scan: scanVirtioPciCfgCap, walk: walkVirtioPciCfgCap },
  ],
  [
    VirtioPciCapType.VIRTIO_PCI_CAP_SHARED_MEMORY_CFG,
    { type: "virtio_pci_cap64", scan: scanVirtioPciCap64, walk: walkVirtioPciCap64 },
  ],
]);
const PLAIN: CapabilityCodec = { type: "virtio_pci_cap", scan: scanVirtioPciCap, walk: walkVirtioPciCap };

/** `bytes`: configuration space from the capability on. */
export function vendorCapability(bytes: Uint8Array): CapabilityCodec | undefined {
  if (!scanVirtioPciCap(new Reader(bytes))) return undefined;
  const { cfgType, capLen } = readVirtioPciCap(new Reader(bytes));
  if (cfgType === VirtioPciCapType.VIRTIO_PCI_CAP_VENDOR_CFG) return bounded(capLen);
  return KNOWN.get(cfgType) ?? PLAIN;
}

/** Vendor data: the capability's length ends it. */
function bounded(length: number): CapabilityCodec {
  return {
    type: "virtio_pci_vndr_data",
    scan: (reader) => {
      if (length > reader.end - reader.at) return false;
      reader.end = reader.at + length;
      return scanVirtioPciVndrData(reader);
    },
    walk: (reader, visitor) => {
      const outer = reader.enter(length);
      const readable = walkVirtioPciVndrData(reader, visitor);
      reader.rewind(reader.end, outer, reader.depth - 1);
      return readable;
    },
  };
}
