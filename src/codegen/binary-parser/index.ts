/** The binary-parser target: a parser of binary-parser 2.3.0 for each struct that the library can express. */
import { definitionsTarget, type Library } from "../definitions.js";
import type { Target } from "../output.js";
import { obstacleTo } from "./limits.js";
import { printParser } from "./struct.js";
import { SUPPORT_NAMES, supportLines } from "./support.js";

const library: Library = {
  name: "binary-parser",
  about: [
    "A parser does not notice bytes that are left behind the value, and compiles itself with `new Function`.",
    "A struct that depends on something from outside, such as the byte order, is a function of that; keep what it returns.",
  ],
  taken: new Set(["Parser", ...SUPPORT_NAMES]),
  obstacle: obstacleTo,
  unchecked: () => [],
  facts: () => [],
  print: printParser,
  support: supportLines,
};

export const binaryParserTarget: Target = definitionsTarget(library);
