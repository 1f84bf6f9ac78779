/** The Markdown target: the layouts of each module as a page for people to read, and an overview of the pages. */
import type { Program } from "../../schema/ir.js";
import type { GenerateOptions, OutputFile, Target } from "../output.js";
import { pagePath } from "./links.js";
import { OVERVIEW, printOverview } from "./overview.js";
import { printPage } from "./page.js";

export const markdownTarget: Target = {
  name: "markdown",
  generate(program: Program, options: GenerateOptions): OutputFile[] {
    const modules = program.modules.filter((module) => options.modules?.has(module.name) ?? true);
    const pages = modules.map((module) => ({ path: pagePath(module), text: printPage(module) }));
    return [{ path: OVERVIEW, text: printOverview(modules) }, ...pages];
  },
};
