/** The TypeScript target: one file of plain functions for each schema. */
import type { Program } from "../../schema/ir.js";
import { ProgramNames } from "../names.js";
import type { GenerateOptions, OutputFile, Target } from "../output.js";
import { ModuleContext } from "./context.js";
import { printModule } from "./module.js";

export const typescriptTarget: Target = {
  name: "ts",
  local: true,
  shipped: true,
  generate(program: Program, options: GenerateOptions): OutputFile[] {
    const names = new ProgramNames();
    return program.modules
      .filter((module) => options.modules?.has(module.name) ?? true)
      .map((module) => {
        const context = new ModuleContext(module, names, {
          runtime: runtimeOf(module.file, options),
          packageOf: options.packageOf ?? (() => undefined),
        });
        return { path: module.file.replace(/\.wire$/, ".ts"), text: printModule(module, context) };
      });
  },
};

/** How the file made from `file` imports the runtime. */
function runtimeOf(file: string, { runtimeImport, runtimePath }: GenerateOptions): string {
  if (runtimePath === undefined) return runtimeImport ?? "virtwire/runtime";
  const up = "../".repeat(file.split("/").length - 1);
  return up === "" && !runtimePath.startsWith("../") ? `./${runtimePath}` : up + runtimePath;
}
