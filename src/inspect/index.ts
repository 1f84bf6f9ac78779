/** Captures explained: what kind they are, what is in them, and whether all of it fits together. */

export { type DumpPart, type DumpSummary, MigrationDump } from "./analyze-migration/index.js";
export { ChartRenderer } from "./chart.js";
export { nameOf } from "./conversation/fields.js";
export { ConversationInspection } from "./conversation/inspection.js";
export { type Detection, detectKind } from "./detect.js";
export { deviceByName, deviceTitle } from "./device-names.js";
export {
  type BlockDifference,
  blockPath,
  compareMemory,
  compareTrees,
  type Difference,
  differenceJson,
  differenceText,
  isDifferent,
  isUnder,
  type MemorySide,
  type MemoryTextOptions,
  type PageChange,
  type PageRun,
  type PageRuns,
  type Part,
  type ReadPage,
  ValueTree,
  writeBlockJson,
  writeBlockText,
} from "./diff/index.js";
export {
  type Capture,
  CaptureCollector,
  type Explanation,
  explain,
  explanationsText,
  type Known,
  type Log,
  type Message,
  messages as knownMessages,
  type Place,
  readLog,
  type Sighting,
  type Source,
} from "./explain/index.js";
export { describeFault, verdictOf } from "./fault-text.js";
export {
  compareFeatures,
  type Feature,
  type FeatureComparison,
  type FeatureName,
  type FeatureSpace,
  parseMask,
} from "./feature-masks.js";
export { featureJson, featureLines } from "./feature-text.js";
export { DumpPlan, type DumpRange, dumpLines, rangeTitle } from "./hexdump.js";
export type { BorrowedDescription, CaptureInspection, InspectOptions } from "./inspection.js";
export { JsonLeaves, JsonLinesRenderer, JsonRenderer } from "./json.js";
export type { WriteBytes } from "./json-bytes.js";
export {
  CAPTURE_KINDS,
  CAPTURE_TITLES,
  type CaptureKind,
  DETECTION_SIZE,
  magicKind,
} from "./kinds.js";
export type { Leaf } from "./leaves.js";
export type { LentFields } from "./lent-fields.js";
export { MemoryDump } from "./memory-dump.js";
export { MigrationCheck } from "./migration.js";
export { type Node, TreeBuilder } from "./node.js";
export { openInspection } from "./open.js";
export {
  elementPath,
  type IndexStep,
  member,
  type NameStep,
  type Path,
  printPath,
  Siblings,
  type Step,
  sectionPath,
} from "./path.js";
export {
  type ByteRange,
  isRange,
  Match,
  PathError,
  type Pattern,
  type PatternStep,
  parsePattern,
  parseRange,
  printPattern,
} from "./pattern.js";
export { statusText } from "./qemu/virtio-rows.js";
export { Query } from "./query.js";
export {
  type CaptureRecord,
  type Cell,
  type Column,
  type Fact,
  FaultList,
  hex,
  printable,
  type Scalar,
  type Sink,
  type Summary,
  type Table,
} from "./report.js";
export {
  diagnose as diagnoseRings,
  type RingDiagnosis,
  type RingsReport,
  ringsJson,
  ringsText,
} from "./rings/index.js";
export { type TextOptions, TextRenderer } from "./text.js";
export { valueText } from "./values.js";
export { wrapped } from "./wrapped.js";
