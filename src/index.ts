/**
 * What every program with codecs needs besides them: the error, and the cursors to go on from one value to the next. The
 * codecs stand at `virtwire/<family>/<module>`, whole streams at `virtwire/streams`, inspection at `virtwire/inspect`.
 */
export {
  type Fault,
  type FaultCode,
  formatFault,
  Reader,
  type ReaderOptions,
  type Site,
  type Source,
  type Visitor,
  WireError,
  Writer,
} from "./runtime/index.js";
