/** `PATH=VALUE`, as it is written on the command line. */

export interface Assignment {
  readonly path: string;
  readonly value: string;
}

/** Splits at the first `=` outside brackets and quotes: names of sections may hold one. */
export function parseAssignment(text: string): Assignment | undefined {
  let quote = "";
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i] ?? "";
    if (quote !== "") {
      if (character === "\\") i++;
      else if (character === quote) quote = "";
    } else if (depth > 0 && (character === '"' || character === "'")) quote = character;
    else if (character === "[") depth++;
    else if (character === "]") depth--;
    else if (character === "=" && depth === 0)
      return i === 0 ? undefined : { path: text.slice(0, i).trim(), value: text.slice(i + 1).trim() };
  }
  return undefined;
}
