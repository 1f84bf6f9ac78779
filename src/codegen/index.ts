/** The generator: the targets that it has, by name. */
import { cTarget } from "./c/index.js";
import type { Target } from "./output.js";
import { typescriptTarget } from "./typescript/index.js";

export type { GenerateOptions, OutputFile, Target } from "./output.js";
export { cTarget, typescriptTarget };

/** In the order in which help texts list them. */
export const targets: readonly Target[] = [typescriptTarget, cTarget];

export function targetByName(name: string): Target | undefined {
  return targets.find((target) => target.name === name);
}
