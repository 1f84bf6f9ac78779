/** Explains what was seen in a log, with the captures that were given along. */
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { RingsReport } from "../rings/device.js";
import type { Capture } from "./capture.js";
import { deviceNamed } from "./devices.js";
import type { Sighting } from "./log.js";
import type { Place, Source } from "./message.js";
import type { Scene } from "./scene.js";

export interface Explanation {
  readonly line: number;
  readonly text: string;
  readonly id: string;
  readonly meaning: string;
  /** It only says where the message before it came from. */
  readonly isFollowUp: boolean;
  /** What the values of the line say. */
  readonly causes: readonly string[];
  readonly remedy: string;
  readonly places: readonly Place[];
  readonly source: Source;
}

export interface Known {
  readonly file?: Capture | undefined;
  readonly other?: Capture | undefined;
  /** The virtqueues in the memory of `file`: see Message.needsRings. */
  readonly rings?: readonly RingsReport[] | undefined;
  /** From the command line. Otherwise the names in the log decide. */
  readonly device?: VirtioDeviceId | undefined;
}

export function explain(sighting: Sighting, { file, other, rings, device }: Known): Explanation {
  const { message, values, subject, names } = sighting;
  const named = names.map(deviceNamed).find((type) => type !== undefined);
  const scene: Scene = { subject, device: device ?? named, file, other, rings };
  return {
    line: sighting.line,
    text: sighting.text,
    id: message.id,
    meaning: message.meaning,
    isFollowUp: message.isFollowUp === true,
    causes: message.causes?.(values, scene) ?? [],
    remedy: message.remedy,
    places: distinct(message.places?.(values, scene) ?? []),
    source: message.source,
  };
}

function distinct(places: readonly Place[]): Place[] {
  const seen = new Set<string>();
  return places.filter(({ capture, at, path, text }) => {
    const key = JSON.stringify([capture, at, path, text]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
