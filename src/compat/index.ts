/** Whether a new version of a schema can live with readers and data of the old one. */
export type { Disagreement } from "./agree.js";
export type { Change, Place } from "./changes/change.js";
export { type Comparison, compare, type Finding, type Verdict } from "./compare.js";
export { interpret } from "./interpret.js";
export { type Profile, profileByName, profiles } from "./profiles.js";
export type { Arguments, InterpretedFault, InterpretOptions, Leaf, Reading } from "./reading.js";
export { jsonOf, textOf } from "./report.js";
export { RULES, type Rule, type RuleId } from "./rules.js";
export type { Side, Witness } from "./witness.js";
