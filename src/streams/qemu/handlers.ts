/**
 * The handlers that write live sections, in START, PART and END. No description mentions them, so a name that is none of
 * these is the only sign that the head of such a section is damaged.
 * @source QEMU 10.0.2, calls of register_savevm_live
 */
const VERSIONS: ReadonlyMap<string, number> = new Map([
  ["ram", 4],
  ["dirty-bitmap", 1],
  ["s390-storage_attributes", 0],
  ["spapr/htab", 1],
  ["vfio", 1],
]);

/** The version that a live handler writes; undefined when there is none of that name. */
export function liveVersion(name: string): number | undefined {
  return VERSIONS.get(name.endsWith("/vfio") ? "vfio" : name);
}
