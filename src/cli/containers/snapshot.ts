/** Which snapshot of a qcow2 image is meant. */
import { printable } from "../../inspect/report.js";
import type { MachineSnapshot } from "../../streams/containers/qcow2.js";
import { UsageError } from "../io.js";

/** Of the names that are offered. */
const MAX_OFFERED = 20;

/** `wanted` is a name or an id; without it there must be one only. Throws `UsageError` with what there is to choose. */
export function chooseSnapshot(
  snapshots: readonly MachineSnapshot[],
  wanted: string | undefined,
): MachineSnapshot {
  const [first, ...others] =
    wanted === undefined
      ? snapshots
      : [
          ...snapshots.filter(({ name }) => name === wanted),
          ...snapshots.filter(({ name, id }) => name !== wanted && id === wanted),
        ];
  if (first !== undefined && (wanted !== undefined || others.length === 0)) return first;
  if (snapshots.length === 0) throw new UsageError("a qcow2 image without the state of a machine in it");
  const offered = snapshots.slice(0, MAX_OFFERED).map(described);
  const more = snapshots.length > MAX_OFFERED ? [`and ${snapshots.length - MAX_OFFERED} more`] : [];
  const complaint =
    wanted === undefined
      ? `a qcow2 image with ${snapshots.length} snapshots: say which with --snapshot NAME`
      : `no snapshot ${JSON.stringify(wanted)} holds the state of a machine`;
  throw new UsageError([complaint, ...offered, ...more].join("\n  "));
}

function described({ name, id, taken, stateSize }: MachineSnapshot): string {
  return printable(`${name} (id ${id}, ${new Date(taken * 1000).toISOString()}, ${stateSize} bytes)`);
}
