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
  const meta = { name: `virtwire ${name}`, description: about };
  const command = defineCommand({ meta, args, run: (context) => run(context.args, context.rawArgs) });
  return {
    help: async () => {
      const usage = await renderUsage(defineCommand({ meta, args: withShortHints(args) }));
      return `${usage}\n\nEXAMPLES\n\n${examples.map((line) => `  ${line}\n`).join("")}`;
    },
    run: async (rawArgs) => {
      refuseUnknown(rawArgs, args, repeats);
      const { result } = await runCommand(command, { rawArgs });
      return typeof result === "number" ? result : EXIT.internal;
    },
  };
}

/** Characters of a list of values that may stand in the column of the options. */
const MAX_HINT = 36;

/** A long list of values would push the descriptions of all options off the screen: it goes behind its own. */
function withShortHints(args: ArgsDef): ArgsDef {
  return Object.fromEntries(
    Object.entries(args).map(([name, definition]) => {
      if (definition.type !== "enum" || (definition.options ?? []).join("|").length <= MAX_HINT) {
        return [name, definition];
      }
      const { options = [], description = "", ...others } = definition;
      const values = `${description} One of ${options.join(", ")}.`;
      return [name, { ...others, type: "string", valueHint: "VALUE", description: values }];
    }),
  );
}
