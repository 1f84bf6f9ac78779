/** What the summary tells of the virtio devices: how far the driver has come, and what it set up. */
import {
  VirtioDeviceId,
  VirtioDeviceStatus,
  virtioDeviceStatusNames,
} from "../../../generated/virtio/ids.js";
import type { SectionEvent } from "../../streams/qemu/events.js";
import type { LocatedVirtio } from "../../streams/qemu/virtio/locate.js";
import { featureTables } from "../features.js";
import { type FlagTables, setFlags } from "../flags.js";
import { hex, type Table } from "../report.js";
import { MAX_ROWS } from "./rows.js";

interface Row {
  readonly name: string;
  readonly transport: string;
  /** Undefined where the common part cannot be read. */
  readonly status: number | undefined;
  readonly features: bigint;
  readonly tables: FlagTables;
  readonly queues: number;
  readonly used: number;
}

export class VirtioRows {
  private readonly rows: Row[] = [];

  add({ name, instanceId }: SectionEvent, { device, transport, value, saved }: LocatedVirtio): void {
    if (this.rows.length >= MAX_ROWS) return;
    this.rows.push({
      name: instanceId === 0 ? name : `${name} #${instanceId}`,
      transport: transport.kind,
      status: value?.status,
      features: saved.features,
      tables: featureTables(device?.id ?? VirtioDeviceId.VIRTIO_ID_INVALID),
      queues: saved.queues,
      used: value?.queues.filter(({ desc }) => desc !== 0n).length ?? 0,
    });
  }

  table(): Table {
    const { rows } = this;
    return {
      key: "virtio",
      title: "virtio devices",
      columns: [
        { key: "transport", label: "transport" },
        { key: "status", label: "status" },
        { key: "features", label: "features", right: true },
        { key: "queues", label: "queues", right: true },
        { key: "name", label: "virtio device" },
      ],
      rows: rows.map(({ name, transport, status, features, tables, queues, used }) => [
        { value: transport },
        { value: status, text: status === undefined ? "unreadable" : statusText(status) },
        {
          value: features,
          text: `${bitsOf(features)} accepted`,
          flags: setFlags(features, tables),
        },
        { value: used, text: `${used} of ${queues}` },
        { value: name },
      ]),
      weights: rows.map(({ used }) => used),
      briefs: rows.map(({ name }) => name),
    };
  }
}

/** The order in which a driver sets them; the last one says how far it is. */
const PROGRESS = [
  VirtioDeviceStatus.VIRTIO_CONFIG_S_ACKNOWLEDGE,
  VirtioDeviceStatus.VIRTIO_CONFIG_S_DRIVER,
  VirtioDeviceStatus.VIRTIO_CONFIG_S_FEATURES_OK,
  VirtioDeviceStatus.VIRTIO_CONFIG_S_DRIVER_OK,
  VirtioDeviceStatus.VIRTIO_CONFIG_S_SUSPEND,
  VirtioDeviceStatus.VIRTIO_CONFIG_S_NEEDS_RESET,
  VirtioDeviceStatus.VIRTIO_CONFIG_S_FAILED,
];

/** `0xf DRIVER_OK` */
export function statusText(status: number): string {
  const last = PROGRESS.filter((bit) => (status & bit) !== 0).at(-1);
  const [name = ""] = last === undefined ? ["reset"] : virtioDeviceStatusNames(last);
  return `${hex(status)} ${name.replace("VIRTIO_CONFIG_S_", "")}`;
}

function bitsOf(mask: bigint): number {
  return mask.toString(2).replaceAll("0", "").length;
}
