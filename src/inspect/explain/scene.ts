/** What is known around one line: what the log says it is about, and the captures that were given along. */

import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { describeFault } from "../fault-text.js";
import { printPath } from "../path.js";
import type { RingsReport } from "../rings/device.js";
import type { Capture, Section } from "./capture.js";
import type { Place, Subject } from "./message.js";

export interface Scene {
  readonly subject: Subject;
  /** The type of the virtio device, as far as it is known. */
  readonly device: VirtioDeviceId | undefined;
  /** The stream that failed to load. */
  readonly file: Capture | undefined;
  /** One of the destination's own. */
  readonly other: Capture | undefined;
  /** The virtqueues in the memory of the stream that failed. Undefined: nobody has looked. */
  readonly rings: readonly RingsReport[] | undefined;
}

/** The sections of that name; with `instanceId`, the one of that number. */
export function sectionsOf(
  capture: Capture | undefined,
  name: string | undefined,
  instanceId?: number,
): readonly Section[] {
  return (capture?.sections ?? []).filter(
    (section) => section.name === name && (instanceId === undefined || section.instanceId === instanceId),
  );
}

export function sectionPlace(capture: Capture, section: Section, text?: string): Place {
  const size = section.bodySize === 0 ? "" : `, ${section.bodySize} bytes of state`;
  return {
    capture: capture.name,
    at: section.at,
    path: printPath(section.path),
    text: text ?? `section ${section.id}, version ${section.versionId}${size}`,
  };
}

/** The section, and the ones around it. */
export function neighbourhood(capture: Capture, section: Section): Place[] {
  const index = capture.sections.indexOf(section);
  const before = capture.sections[index - 1];
  const after = capture.sections[index + 1];
  return [
    ...(before === undefined
      ? []
      : [sectionPlace(capture, before, `the section before: ${describe(before)}`)]),
    sectionPlace(capture, section),
    ...(after === undefined ? [] : [sectionPlace(capture, after, `the section after: ${describe(after)}`)]),
  ];
}

function describe({ id, versionId, bodySize }: Section): string {
  return `number ${id}, version ${versionId}, ${bodySize} bytes`;
}

/** Damage that the capture itself has: then the destination may be right. */
export function damagePlaces(capture: Capture | undefined): Place[] {
  const [first] = capture?.faults ?? [];
  if (capture === undefined || first === undefined) return [];
  const text = `this stream is damaged: ${describeFault(first)}`;
  return [{ capture: capture.name, at: first.offset, path: undefined, text }];
}

/** The section that the line, or another line of the log, is about. */
export function subjectPlaces({ subject, file }: Scene): Place[] {
  if (file === undefined) return [];
  const found = sectionsOf(file, subject.section, subject.instanceId);
  return [...found.map((section) => sectionPlace(file, section)), ...damagePlaces(file)];
}

/** The same with the sections around it: a wrong length shows in one, and is made in the other. */
export function framingPlaces({ subject, file }: Scene): Place[] {
  if (file === undefined) return [];
  const found = sectionsOf(file, subject.section, subject.instanceId);
  return [...found.flatMap((section) => neighbourhood(file, section)), ...damagePlaces(file)];
}
