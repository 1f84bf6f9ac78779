/** A migration stream with some of its values changed or some of its sections left out, and everything else as it was. */
export { type Assignment, parseAssignment } from "./assignment.js";
export { OverlapError, type Patch, Patcher } from "./patch.js";
export { EditError, EditPlan } from "./plan.js";
export { replaceDevice } from "./replace.js";
