/** A verb of the command line, made of its arguments and a function: the same help, checks and results for all. */
import { type ArgsDef, defineCommand, type ParsedArgs, runCommand } from "citty";
import { refuseUnknown } from "./arguments.js";
import { type HelpPage, helpText } from "./help.js";
import { EXIT } from "./io.js";

export interface Verb {
  /** `about`: what the list of all verbs says of it. `width`: of the terminal, in characters. */
  readonly help: (about: string, width: number) => string;
  /** Gives the exit code. */
  readonly run: (rawArgs: string[]) => Promise<number>;
}

export interface VerbDefinition<T extends ArgsDef> extends Omit<HelpPage, "about" | "args" | "repeats"> {
  readonly args: T;
  /** The last positional argument may be given any number of times. */
  readonly repeats?: boolean;
  readonly run: (args: ParsedArgs<T>, rawArgs: readonly string[]) => number | Promise<number>;
}

export function defineVerb<const T extends ArgsDef>(verb: VerbDefinition<T>): Verb {
  const { args, repeats = false, run, ...page } = verb;
  const command = defineCommand({ args, run: (context) => run(context.args, context.rawArgs) });
  return {
    help: (about, width) => helpText({ ...page, about, args, repeats }, width),
    run: async (rawArgs) => {
      refuseUnknown(rawArgs, args, repeats);
      const { result } = await runCommand(command, { rawArgs });
      return typeof result === "number" ? result : EXIT.internal;
    },
  };
}
