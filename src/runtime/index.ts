/**
 * What generated code calls: bounds, errors, cursors. It imports nothing and runs wherever JavaScript does.
 */
export { type Fault, type FaultCode, formatFault, WireError } from "./errors.js";
export { rawS64, rawU64, readS64, readU64, writeS64, writeU64 } from "./integers.js";
export { explain, type Leaf, Reader, type ReaderOptions, readerOf, type Source } from "./reader.js";
export { readPaddedText, readText, writeText } from "./text.js";
export type { FieldValue, Site, Visitor } from "./visitor.js";
export { inside, Writer } from "./writer.js";
