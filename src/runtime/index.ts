/**
 * What generated code calls: bounds, errors, cursors. It imports nothing and runs wherever JavaScript does.
 */
export { broken, type Fitting, misfit, missing, unexpected, writeReserved, wrongLength } from "./encode.js";
export { type Fault, type FaultCode, formatFault, WireError } from "./errors.js";
export { MAX_SAFE_HIGH, rawS64, rawU64, writeS64, writeU64 } from "./integers.js";
export { type FlagBit, flagNames } from "./meanings.js";
export { type ParserOptions, PushParser } from "./push.js";
export { explain, type Leaf, Reader, type ReaderOptions, readerOf, type Source } from "./reader.js";
export {
  ended,
  narrow,
  needBytes,
  otherConstant,
  partElement,
  verdict,
  wholeElements,
  widen,
} from "./scan.js";
export type { CommandRow, MessageRow } from "./tables.js";
export { readPaddedText, readText, writeText } from "./text.js";
export { View } from "./view.js";
export type { FieldValue, Site, Visitor } from "./visitor.js";
export {
  enterRange,
  exactS64,
  exactU64,
  heeding,
  isCut,
  leaveRange,
  report,
  reportLack,
  reportShort,
} from "./walk.js";
export { inside, Writer } from "./writer.js";
