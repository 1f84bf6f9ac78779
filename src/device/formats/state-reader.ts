/** Reads a device's state from the bytes of a format that holds one device: pushed in chunks of any size. */
import type { VirtioDevPart } from "../../../generated/virtio/device-parts.js";
import { type Fault, WireError } from "../../runtime/index.js";
import { streamFault } from "../../streams/faults.js";
import { VfioStreamParser } from "../../streams/vfio/records.js";
import { DeviceContextParser } from "../../streams/virtio/context.js";
import { DevicePartsParser } from "../../streams/virtio/parts.js";
import type { DeviceState } from "../member/device-state.js";
import { blankState } from "./blank.js";
import { DeviceContextReader } from "./device-context.js";
import { DevicePartsReader } from "./device-parts.js";
import type { Assumption } from "./loss.js";
import { isPacked } from "./state-fields.js";

/** The formats that hold the state of one device, and nothing else. */
export type StateFormat = "device-context" | "device-parts" | "vfio-virtio";

/** A state that was read, and what the format left open. */
export interface Reading {
  readonly state: DeviceState;
  readonly assumed: readonly Assumption[];
}

interface Elements {
  push(chunk: Uint8Array): void;
  end(): void;
  /** Undefined: nothing that holds a state has come. */
  result(): Reading | undefined;
}

export class StateReader {
  private readonly elements: Elements;
  private readonly schema: string;
  private fault: Fault | undefined;
  private size = 0;

  /** `deviceType`: `VirtioDeviceId`; no format says it. */
  constructor(format: StateFormat, deviceType: number) {
    const blame = (fault: Fault) => {
      this.fault ??= fault;
    };
    this.schema = SCHEMAS[format];
    this.elements = ELEMENTS[format](deviceType, blame);
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.elements.push(chunk);
  }

  /** @throws WireError when the bytes are damaged, incomplete or those of no device. */
  end(): Reading {
    this.elements.end();
    if (this.fault !== undefined) throw new WireError(this.fault);
    const reading = this.elements.result();
    if (reading !== undefined) return reading;
    throw new WireError(streamFault(this.schema, "missing", "", this.size, "there is no state of a device"));
  }
}

type Blame = (fault: Fault) => void;

const SCHEMAS: Readonly<Record<StateFormat, string>> = {
  "device-context": "virtio/device-context.wire",
  "device-parts": "virtio/device-parts.wire",
  "vfio-virtio": "vfio/virtio-stream.wire",
};

const ELEMENTS: Readonly<Record<StateFormat, (deviceType: number, blame: Blame) => Elements>> = {
  "device-context": contextElements,
  "device-parts": partsElements,
  "vfio-virtio": recordElements,
};

function contextElements(deviceType: number, blame: Blame): Elements {
  const reader = new DeviceContextReader(blankState(deviceType), true);
  let isWhole = false;
  let saysFeatures = false;
  const parser = new DeviceContextParser((event) => {
    if (event.kind === "fault") blame(event.fault);
    else if (event.kind === "end") isWhole = true;
    else if (event.kind === "field" && event.field !== undefined) {
      const { field, index, at } = event;
      if (field.value.case === "devFeatures") saysFeatures = true;
      taken("device-context", `fields[${index}]`, at, blame, () => reader.take(field));
    }
  }, deviceType);
  return {
    push: (chunk) => parser.push(chunk),
    end: () => parser.end(),
    result: () => (isWhole ? withEnabledQueues(readingOf(reader.result, saysFeatures)) : undefined),
  };
}

function partsElements(deviceType: number, blame: Blame): Elements {
  const taker = new PartsTaker(deviceType);
  const parser = new DevicePartsParser((event) => {
    if (event.kind === "fault") blame(event.fault);
    else if (event.kind === "part") taker.take(event.part, event.at, blame);
  }, deviceType);
  return {
    push: (chunk) => parser.push(chunk),
    end: () => parser.end(),
    result: () => taker.result,
  };
}

/** The last record that is whole counts. */
function recordElements(deviceType: number, blame: Blame): Elements {
  let taker = new PartsTaker(deviceType);
  let latest: Reading | undefined;
  const parser = new VfioStreamParser((event) => {
    if (event.kind === "fault") blame(event.fault);
    else if (event.kind === "record") taker = new PartsTaker(deviceType);
    else if (event.kind === "part") taker.take(event.part, event.at, blame);
    else if (event.kind === "record-end" && event.known) latest = taker.result;
  }, deviceType);
  return {
    push: (chunk) => parser.push(chunk),
    end: () => parser.end(),
    result: () => latest,
  };
}

class PartsTaker {
  private readonly reader: DevicePartsReader;
  private isEmpty = true;
  private saysFeatures = false;

  constructor(deviceType: number) {
    this.reader = new DevicePartsReader(blankState(deviceType), true);
  }

  get result(): Reading | undefined {
    if (this.isEmpty) return undefined;
    const { state, assumed } = readingOf(this.reader.result, this.saysFeatures);
    const reason = "parts do not hold the configuration of the device type";
    return { state, assumed: [...assumed, { path: "config", value: "unknown", reason }] };
  }

  take(part: VirtioDevPart | undefined, at: number, blame: Blame): void {
    if (part === undefined) return;
    this.isEmpty = false;
    if (part.part.case === "devFeatures") this.saysFeatures = true;
    taken("device-parts", "parts", at, blame, () => this.reader.take(part));
  }
}

/** What cannot be any device's is damage. */
function taken(format: StateFormat, path: string, at: number, blame: Blame, take: () => void): void {
  try {
    take();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    blame(streamFault(SCHEMAS[format], "constraint", path, at, error.message));
  }
}

function readingOf(state: DeviceState, saysFeatures: boolean): Reading {
  return saysFeatures ? { state, assumed: [] } : withAssumedFeatures(state);
}

/** Whether a packed virtqueue is enabled has no field in a context: one that has a place in memory is. */
function withEnabledQueues({ state, assumed }: Reading): Reading {
  if (!isPacked(state)) return { state, assumed };
  const enabled = state.queues.map(({ descriptorArea }) => descriptorArea !== 0n);
  const reason =
    "the context does not say it of packed virtqueues: taken to be so where they have an address";
  return {
    state: {
      ...state,
      queues: state.queues.map((queue, i) => ({ ...queue, enabled: enabled[i] ?? false })),
    },
    assumed: [
      ...assumed,
      ...enabled.map((is, i) => ({ path: `queues[${i}].enabled`, value: is ? "yes" : "no", reason })),
    ],
  };
}

/** What a device offers is not said: what its driver has accepted is the least that it can be. */
export function withAssumedFeatures(state: DeviceState, given?: bigint): Reading {
  const deviceFeatures = given ?? state.driverFeatures;
  const value = `0x${deviceFeatures.toString(16)}`;
  const reason = "what the device offers is not said: taken to be what the driver has accepted";
  return {
    state: { ...state, deviceFeatures },
    assumed: given === undefined ? [{ path: "device_features", value, reason }] : [],
  };
}
