/** What the rings in the stream's own memory say of the virtqueue that a line is about, and who is to blame. */
import type { SplitQueueRings } from "../../streams/index.js";
import { hex } from "../report.js";
import { type RingsReport, unknownAreas } from "../rings/device.js";
import { diagnose } from "../rings/diagnosis.js";
import { numberText } from "../values.js";
import type { Place } from "./message.js";
import type { Scene } from "./scene.js";

/** The queue as the line names it. */
export interface ToldQueue {
  readonly index: number;
  readonly size: number;
  /** Where the device stands. */
  readonly taken: number;
}

interface FoundQueue {
  readonly report: RingsReport;
  readonly queue: SplitQueueRings;
}

/** Queues that are told of in full; which one a line is about it does not say. */
const TOLD = 3;

export function ringCauses(told: ToldQueue, scene: Scene): string[] {
  const { file, rings } = scene;
  if (file === undefined || rings === undefined) return [];
  const found = queuesOf(told, scene);
  if (found.length === 0) {
    const isWhole = file.faults.length === 0 && rings.every((report) => report.rings !== undefined);
    const absent = isWhole
      ? `is in ${file.name}: it is not the stream that failed`
      : `is in what can be read of ${file.name}, which is damaged`;
    return [
      `no virtqueue ${told.index} of ${told.size} entries at position ${numberText(told.taken)} ${absent}`,
    ];
  }
  return found.slice(0, TOLD).flatMap((one) => queueCauses(one, file.name));
}

/** Where the rings lie in the files. */
export function ringPlaces(told: ToldQueue, scene: Scene): Place[] {
  return queuesOf(told, scene)
    .slice(0, TOLD)
    .flatMap(({ report, queue }) => [
      ...areaPlace(report, queue.driverArea, `the available ring of VQ ${queue.index} of ${report.name}`),
      ...areaPlace(report, queue.deviceArea, `the used ring of VQ ${queue.index} of ${report.name}`),
    ]);
}

/** Those that are wrong come first. */
function queuesOf({ index, size, taken }: ToldQueue, { rings, subject }: Scene): FoundQueue[] {
  const found = (rings ?? []).flatMap((report) =>
    (report.rings?.queues ?? []).flatMap((queue): FoundQueue[] => {
      const isMeant =
        queue.kind === "split" &&
        queue.index === index &&
        queue.size === size &&
        queue.lastAvailable === taken &&
        (subject.section === undefined || report.name.startsWith(subject.section));
      return isMeant ? [{ report, queue }] : [];
    }),
  );
  const wrong = found.filter(({ queue }) => diagnose(queue) !== undefined);
  return wrong.length > 0 ? wrong : found;
}

function queueCauses({ report, queue }: FoundQueue, file: string): string[] {
  const { available, used, lastAvailable } = queue;
  const where = `${report.name}, VQ ${queue.index} in ${file}`;
  const [unknown] = unknownAreas(report, queue);
  const diagnosis = diagnose(queue);
  if (diagnosis === undefined && unknown !== undefined) {
    return [`${where}: the ${unknown.name} at ${hex(unknown.address)} is not known: ${unknown.why}`];
  }
  const indices = `avail.idx ${shown(available?.index)}, last_avail_idx ${numberText(lastAvailable)}, used.idx ${shown(used?.index)}`;
  if (diagnosis !== undefined) return [`${where}: ${indices}: the stream itself is so. ${diagnosis.blame}`];
  return [
    `${where}: ${indices}: these fit, so the destination had other memory than there is in these files: they are not of that migration, or pages were lost on the way`,
  ];
}

function shown(index: number | undefined): string {
  return index === undefined ? "not known" : numberText(index);
}

function areaPlace(report: RingsReport, address: bigint, text: string): Place[] {
  const place = report.where(address);
  if ("problem" in place) return [];
  const { block, offset, plain } = place;
  if (plain === undefined) return [];
  const path = `${block}+${hex(offset)}`;
  return [{ capture: report.inputs[plain.input] ?? "", at: plain.at, path, text }];
}
