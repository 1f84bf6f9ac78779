/** A verb of the command line, made of its arguments and a function: the same help, checks and results for all. */
import { type ArgsDef, defineCommand, type ParsedArgs, renderUsage, runCommand } from "citty";
import { refuseUnknown } from "./arguments.js";
import { EXIT } from "./io.js";

export interface Verb {
  readonly help: () => Promise<string>;
  /** Gives the exit code. */
  readonly run: (rawArgs: string[]) => Promise<number>;
}

export interface VerbDefinition<T extends ArgsDef> {
  readonly name: string;
  readonly about: string;
  readonly args: T;
  readonly examples: readonly string[];
  /** The last positional argument may be given any number of times. */
  readonly repeats?: boolean;
  readonly run: (args: ParsedArgs<T>, rawArgs: readonly string[]) => number | Promise<number>;
}

export function defineVerb<const T extends ArgsDef>({
  name,
  about,
  args,
  examples,
  repeats,
  run,
}: VerbDefinition<T>): Verb {
  const command = defineCommand({
    meta: { name: `virtwire ${name}`, description: about },
    args,
    run: (context) => run(context.args, context.rawArgs),
  });
  return {
    help: async () =>
      `${await renderUsage(command)}\n\nEXAMPLES\n\n${examples.map((line) => `  ${line}\n`).join("")}`,
    run: async (rawArgs) => {
      refuseUnknown(rawArgs, args, repeats);
      const { result } = await runCommand(command, { rawArgs });
      return typeof result === "number" ? result : EXIT.internal;
    },
  };
}
