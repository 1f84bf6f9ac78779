/** What a wrapper says of what is in it, for the summary. */
import { libvirtSaveFormatName } from "../../../generated/capture/libvirt.js";
import type { Fact } from "../../inspect/report.js";
import { type LibvirtImage, libvirtTexts } from "../../streams/containers/libvirt.js";
import type { MachineSnapshot } from "../../streams/containers/qcow2.js";

export interface Wrapper {
  readonly kind: string;
  readonly facts: readonly Fact[];
}

export function libvirtFacts(image: LibvirtImage, data: Uint8Array): Wrapper {
  const { header, complete, littleEndian } = image;
  const { domain, cookie } = libvirtTexts(image, data);
  const name = /<name>([^<]*)<\/name>/.exec(domain)?.[1];
  const format = libvirtSaveFormatName(header.format) ?? `format ${header.format}`;
  return {
    kind: complete ? "libvirt save image" : "unfinished libvirt save image",
    facts: [
      { key: "libvirt_format", label: "save format", value: header.format, text: format },
      {
        key: "libvirt_byte_order",
        label: "save order",
        value: littleEndian ? "little-endian" : "big-endian",
      },
      { key: "libvirt_was_running", label: "was running", value: header.wasRunning !== 0 },
      xmlFact("libvirt_domain", "domain", domain, name),
      ...(cookie === undefined ? [] : [xmlFact("libvirt_cookie", "cookie", cookie, undefined)]),
    ],
  };
}

export function snapshotFacts({ name, id, taken, stateSize }: MachineSnapshot): Wrapper {
  return {
    kind: "qcow2 snapshot",
    facts: [
      { key: "snapshot", label: "snapshot", value: name, text: `${name} (id ${id})` },
      { key: "snapshot_taken", label: "taken", value: new Date(taken * 1000).toISOString() },
      { key: "snapshot_size", label: "state size", value: stateSize },
    ],
  };
}

/** All of it in JSON; a person sees what it is called. */
function xmlFact(key: string, label: string, xml: string, name: string | undefined): Fact {
  const size = `${xml.length} characters of XML`;
  return { key, label, value: xml, text: name === undefined ? size : `${name}, ${size}` };
}
