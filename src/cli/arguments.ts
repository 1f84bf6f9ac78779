/**
 * What citty lets pass and a command line must not: options that nobody has heard of, arguments that nobody takes, values
 * that are missing. A typing error in an option would otherwise change what a command does without a word.
 */
import type { ArgsDef } from "citty";
import { UsageError } from "./io.js";

/** `repeats`: the last positional argument may be given any number of times. */
export function refuseUnknown(rawArgs: readonly string[], args: ArgsDef, repeats = false): void {
  const options = new Map<string, boolean>();
  let positionals = 0;
  for (const [name, definition] of Object.entries(args)) {
    if (definition.type === "positional") {
      positionals++;
      continue;
    }
    const takesValue = definition.type !== "boolean";
    const aliases = ("alias" in definition ? definition.alias : undefined) ?? [];
    for (const key of [name, ...(typeof aliases === "string" ? [aliases] : aliases)])
      options.set(key, takesValue);
  }
  let given = 0;
  for (let i = 0; i < rawArgs.length; i++) {
    const arg = rawArgs[i] ?? "";
    if (arg === "--") {
      given += rawArgs.length - i - 1;
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      given++;
      continue;
    }
    i += checkOption(arg, rawArgs[i + 1], options);
  }
  if (given > positionals && !repeats)
    throw new UsageError(`too many arguments: ${given} given, ${positionals} taken`);
}

/** How many of the arguments that follow belong to this one. */
function checkOption(arg: string, next: string | undefined, options: ReadonlyMap<string, boolean>): number {
  if (!arg.startsWith("--")) {
    // `-d VALUE`: citty takes the value from the next argument only.
    if (arg.length === 2 && options.get(arg.slice(1)) === true) return checkValue(arg, next);
    for (const letter of arg.slice(1)) {
      if (options.get(letter) !== false) throw new UsageError(`unknown option -${letter}`);
    }
    return 0;
  }
  const [name = "", value] = splitOnce(arg.slice(2), "=");
  const takesValue = options.get(name);
  if (takesValue === undefined || name.length < 2) throw new UsageError(`unknown option --${name}`);
  if (!takesValue) {
    if (value !== undefined) throw new UsageError(`--${name} takes no value`);
    return 0;
  }
  return value === undefined ? checkValue(`--${name}`, next) : 0;
}

function checkValue(option: string, next: string | undefined): number {
  if (next === undefined || (next.startsWith("-") && next !== "-"))
    throw new UsageError(`${option} needs a value`);
  return 1;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** How often a one-letter flag was given: `-v -v` and `-vv` are the same. */
export function countFlag(rawArgs: readonly string[], letter: string, long: string): number {
  let count = 0;
  for (const arg of rawArgs) {
    if (arg === "--") break;
    if (arg === `--${long}`) count++;
    else if (/^-[A-Za-z]+$/.test(arg)) count += arg.split(letter).length - 1;
  }
  return count;
}

/** All values of an option that may be repeated, in order: citty keeps the last one only. */
export function optionValues(rawArgs: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawArgs.length && rawArgs[i] !== "--"; i++) {
    const arg = rawArgs[i] ?? "";
    if (arg.startsWith(`--${name}=`)) values.push(arg.slice(name.length + 3));
    else if (arg === `--${name}`) values.push(rawArgs[++i] ?? "");
  }
  return values;
}
