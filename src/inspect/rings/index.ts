/** Virtqueues out of a migration's memory, shown beside what the device's state says. */
export type { RingsReport } from "./device.js";
export { diagnose, type RingDiagnosis } from "./diagnosis.js";
export { ringsJson } from "./json.js";
export { ringsText } from "./text.js";
