/** Paths of what is compared: those of memory, and which are left out. */
import { member, type Path } from "../path.js";
import { Match, type Pattern } from "../pattern.js";

/** `sections["ram"].blocks["pc.ram"]` */
export function blockPath(name: string): Path {
  const keyed = (key: string): Path[number] => ({ kind: "name", name: key, keyed: true, number: 0 });
  return [member("sections"), keyed("ram"), member("blocks"), keyed(name)];
}

/** Whether one of the patterns names what the path leads to, or something that it lies in. */
export function isUnder(path: Path, patterns: readonly Pattern[]): boolean {
  if (patterns.length === 0) return false;
  let match = Match.start(patterns);
  for (const step of path) {
    if (match.accepted.length > 0) return true;
    match = match.next(step);
    if (match.isOver) return false;
  }
  return match.accepted.length > 0;
}
