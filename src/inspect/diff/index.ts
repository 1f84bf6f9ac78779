/** Two captures compared by what they mean, and by what memory holds. */
export { blockPath, isUnder } from "./block-path.js";
export { compareTrees, type Difference, type Part } from "./compare.js";
export {
  type BlockDifference,
  compareMemory,
  isDifferent,
  type MemorySide,
  type ReadPage,
} from "./memory.js";
export { writeBlockJson } from "./memory-json.js";
export { type MemoryTextOptions, writeBlockText } from "./memory-text.js";
export type { PageChange, PageRun, PageRuns } from "./page-runs.js";
export { differenceJson, differenceText } from "./render.js";
export { ValueTree } from "./tree.js";
