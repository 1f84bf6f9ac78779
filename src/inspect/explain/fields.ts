/** Finds fields in the tree of a section, with their paths. */
import type { Node } from "../node.js";
import { type Path, Siblings } from "../path.js";
import type { Section } from "./capture.js";

export interface Found {
  readonly node: Node;
  readonly path: Path;
}

/** Every field that `wanted` accepts, in the order of the stream. What is inside one that it accepts is left out. */
export function findFields(section: Section, wanted: (node: Node) => boolean): Found[] {
  const found: Found[] = [];
  const visit = (nodes: readonly Node[], parent: Node | undefined, path: Path): void => {
    const siblings = new Siblings(parent);
    for (const node of nodes) {
      const here = [...path, ...siblings.steps(node)];
      if (wanted(node)) found.push({ node, path: here });
      else if (node.children !== undefined) visit(node.children, node, here);
    }
  };
  visit(section.fields, undefined, section.path);
  return found;
}

/** The innermost field that holds the byte at `at`, an offset in the capture. */
export function fieldAt(section: Section, at: number): Found | undefined {
  const holds = (node: Node): boolean => at >= node.at && at < node.at + node.size;
  const [found] = findFields(
    section,
    (node) => holds(node) && !(node.children ?? []).some((child) => holds(child)),
  );
  return found;
}
