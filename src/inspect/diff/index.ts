/** Two captures compared by what they mean. */
export { compareTrees, type Difference, type Part } from "./compare.js";
export { differenceJson, differenceText } from "./render.js";
export { ValueTree } from "./tree.js";
