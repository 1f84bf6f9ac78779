/** Places of fields in the device that a line is about, or in all where it does not say which. */
import type { Node } from "../node.js";
import { printPath } from "../path.js";
import type { Capture, Section } from "./capture.js";
import { findFields } from "./fields.js";
import type { Place } from "./message.js";
import { type Scene, sectionsOf, subjectPlaces } from "./scene.js";

/** Fields of these names that have this value. */
export function valuePlaces(scene: Scene, names: readonly string[], value: bigint, text: string): Place[] {
  return fieldPlaces(
    scene,
    (node) => names.includes(node.name) && isNumber(node) && BigInt(node.value as number | bigint) === value,
    text,
  );
}

export function fieldPlaces(scene: Scene, wanted: (node: Node) => boolean, text: string): Place[] {
  const { file, subject } = scene;
  if (file === undefined) return [];
  const sections = subject.section === undefined ? file.sections : sectionsOf(file, subject.section);
  const found = sections.flatMap((section) => inSection(file, section, wanted, text));
  return found.length > 0 ? found : subjectPlaces(scene);
}

function inSection(file: Capture, section: Section, wanted: (node: Node) => boolean, text: string): Place[] {
  return findFields(section, wanted).map(({ node, path }) => ({
    capture: file.name,
    at: node.at,
    path: printPath(path),
    text,
  }));
}

function isNumber(node: Node): boolean {
  return typeof node.value === "number" || typeof node.value === "bigint";
}
