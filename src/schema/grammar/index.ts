/**
 * The grammar: tokens → syntax tree. One chevrotain parser whose actions build the tree directly, in layers: each file
 * adds the rules for one part of the language to those that it is made of.
 */
export { GivingUp } from "./expectations.js";
export { WireParser } from "./module.js";
