/** Writes a device's state in a format that holds one device, and says what is not in it. */

import { vfioRecord } from "../../streams/vfio/records.js";
import type { DeviceState } from "../member/device-state.js";
import { DEVICE_CONTEXT_REASONS, writeDeviceContext } from "./device-context.js";
import { DEVICE_PARTS_REASONS, deviceParts } from "./device-parts.js";
import type { Written } from "./loss.js";
import { type LossReasons, stateLosses } from "./state-losses.js";
import { type StateFormat, StateReader } from "./state-reader.js";

interface Writer {
  readonly write: (state: DeviceState) => Uint8Array;
  readonly reasons: LossReasons;
}

const WRITERS: Readonly<Record<StateFormat, Writer>> = {
  "device-context": { write: writeDeviceContext, reasons: DEVICE_CONTEXT_REASONS },
  "device-parts": { write: writeParts, reasons: DEVICE_PARTS_REASONS },
  "vfio-virtio": { write: writeRecord, reasons: DEVICE_PARTS_REASONS },
};

/** @throws WireError when a value does not fit its field. */
export function writeState(state: DeviceState, format: StateFormat): Written {
  const { write, reasons } = WRITERS[format];
  const bytes = write(state);
  const reader = new StateReader(format, state.deviceType);
  reader.push(bytes);
  return { bytes, losses: stateLosses(state, reader.end().state, reasons) };
}

function writeParts(state: DeviceState): Uint8Array {
  const parts = deviceParts(state).map(({ bytes }) => bytes);
  const all = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function writeRecord(state: DeviceState): Uint8Array {
  return vfioRecord(
    deviceParts(state).map(({ part }) => part),
    state.deviceType,
  );
}
