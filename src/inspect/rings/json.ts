/** Writes the virtqueues of a device for programs. 64-bit integers are written in full. */
import type {
  Chain,
  Descriptor,
  PackedQueueRings,
  QueueRings,
  SplitQueueRings,
} from "../../streams/index.js";
import { type RingsReport, unknownAreas } from "./device.js";
import { diagnose } from "./diagnosis.js";

type Value = string | number | bigint | boolean | null | undefined | readonly Value[] | Members;
interface Members {
  readonly [key: string]: Value;
}

export function ringsJson(report: RingsReport): string {
  const { name, at, problem, rings } = report;
  return jsonText({
    device: name,
    _offset: at,
    problem,
    features: rings?.features,
    form: rings === undefined ? undefined : rings.isPacked ? "packed" : "split",
    little_endian: rings?.isLittleEndian,
    event_idx: rings?.eventIdx,
    queue_count: rings?.queueCount,
    queues: rings?.queues.map((queue) => queueMembers(report, queue)),
  });
}

function queueMembers(report: RingsReport, queue: QueueRings): Members {
  const { index, size, descriptorArea, driverArea, deviceArea, lastAvailable, saved } = queue;
  const unknown = unknownAreas(report, queue).map(({ name, address, why }) => ({ area: name, address, why }));
  return {
    index,
    size,
    desc: descriptorArea,
    driver: driverArea,
    device: deviceArea,
    ...(queue.kind === "split" ? splitMembers(queue, lastAvailable) : packedMembers(queue)),
    saved_heads: saved,
    unknown: unknown.length === 0 ? undefined : unknown,
  };
}

function splitMembers(queue: SplitQueueRings, lastAvailable: number): Members {
  const { available, used, delta, inUse, verdict, inFlight, chains } = queue;
  const diagnosis = diagnose(queue);
  return {
    avail: available && { flags: available.flags, idx: available.index, used_event: available.usedEvent },
    used: used && { flags: used.flags, idx: used.index, avail_event: used.availableEvent },
    last_avail_idx: lastAvailable,
    delta,
    inuse: inUse,
    verdict: verdict ?? null,
    message: diagnosis?.message,
    blame: diagnosis?.blame,
    in_flight: inFlight && {
      count: inFlight.count,
      heads: inFlight.heads,
      certain: inFlight.isCertain,
      candidates: inFlight.isCertain ? undefined : inFlight.candidates,
      buffers: chains.map(chainMembers),
    },
  };
}

function packedMembers({ available, used, inUse, content }: PackedQueueRings): Members {
  const event = (value: NonNullable<typeof content>["driverEvent"]): Value =>
    value && { off: value.descEventOff, wrap: value.descEventWrap, flags: value.descEventFlags };
  return {
    last_avail_idx: available.slot,
    last_avail_wrap: available.wrap,
    used_idx: used.slot,
    used_wrap: used.wrap,
    inuse: inUse,
    verdict: content === undefined ? null : content.isOverwritten ? "out-of-order" : "sound",
    waiting: content?.waiting,
    driver_event: event(content?.driverEvent),
    device_event: event(content?.deviceEvent),
    in_flight: content && { buffers: content.inFlight.map(chainMembers) },
  };
}

function chainMembers({ head, descriptors, fault }: Chain): Members {
  return {
    head,
    descriptors: descriptors.map(descriptorMembers),
    fault: fault && { code: fault.code, detail: fault.detail },
  };
}

function descriptorMembers({ index, address, length, flags, indirect }: Descriptor): Members {
  return { index, addr: address, len: length, flags, indirect: indirect?.map(descriptorMembers) };
}

/** As JSON.stringify does, which refuses bigints. */
function jsonText(value: Value): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value ?? null);
  if (isList(value)) return `[${value.map(jsonText).join(",")}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${jsonText(member)}`).join(",")}}`;
}

function isList(value: readonly Value[] | Members): value is readonly Value[] {
  return Array.isArray(value);
}
