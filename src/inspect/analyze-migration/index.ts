/** The output of QEMU's scripts/analyze-migration.py, for scripts that are used to it. */
export { type DumpPart, type DumpSummary, MigrationDump } from "./dump.js";
