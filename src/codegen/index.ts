/** The generator: the targets that it has, by name. */
import { binaryParserTarget } from "./binary-parser/index.js";
import { cTarget } from "./c/index.js";
import { markdownTarget } from "./markdown/index.js";
import type { Target } from "./output.js";
import { typedBinaryTarget } from "./typed-binary/index.js";
import { typescriptTarget } from "./typescript/index.js";

export { Generator } from "./generator.js";
export type { GenerateOptions, OutputFile, Target } from "./output.js";
export { binaryParserTarget, cTarget, markdownTarget, typedBinaryTarget, typescriptTarget };

/** In the order in which help texts list them. */
export const targets: readonly Target[] = [
  typescriptTarget,
  cTarget,
  binaryParserTarget,
  typedBinaryTarget,
  markdownTarget,
];

export function targetByName(name: string): Target | undefined {
  return targets.find((target) => target.name === name);
}
