/** Prints a function around a body that is printed first: only then is it known which parameters it uses. */
import type { Part, Printer } from "../printer.js";

export interface Signature {
  readonly doc: readonly string[];
  /** Undefined for a function that only its file calls. */
  readonly exported: boolean;
  readonly name: Part;
  readonly params: readonly Parameter[];
  readonly result: Part;
}

export interface Parameter {
  readonly name: string;
  readonly type: Part;
  /** What the name does not say. */
  readonly doc?: string;
}

/** A line at the top of the body that declares `name`, printed when the body uses it. */
export interface Prelude {
  readonly name: string;
  readonly line: Part;
}

export function printFunction(
  out: Printer,
  signature: Signature,
  body: () => void,
  preludes: readonly Prelude[] = [],
): void {
  const captured = out.capture(() => out.indented(body));
  const text = captured.join("\n");
  const used = preludes.filter(({ name }) => mentions(text, name));
  const all = [text, ...used.map(({ line }) => out.text(line))].join("\n");
  // An underscore tells compilers and linters that a parameter stands there for the sake of the callers.
  const params = signature.params.map(({ name, type }) => [
    mentions(all, name) ? name : `_${name}`,
    ": ",
    type,
  ]);
  const tags = signature.params.flatMap(({ name, doc }) =>
    doc && mentions(all, name) ? [`@param ${name} ${doc}`] : [],
  );
  const isTag = (line: string): boolean => line.startsWith("@");
  out.doc([...signature.doc.filter((line) => !isTag(line)), ...tags, ...signature.doc.filter(isTag)]);
  out.list([signature.exported ? "export " : "", "function ", signature.name, "("], params, [
    "): ",
    signature.result,
    " {",
  ]);
  out.indented(() => {
    for (const { line } of used) out.line(line);
  });
  out.insert(captured);
  out.line("}");
}

/** The text has `name` as a variable: not as a property, and not in a string or a comment. */
export function mentions(text: string, name: string): boolean {
  return variable(name).test(codeOf(text));
}

/**
 * Without the declarations that nothing refers to. The printers of scanners and readers declare what any part of a struct
 * refers to, and a part that nothing is left to do for refers to nothing.
 */
export function withoutUnused(lines: readonly string[]): string[] {
  let kept = [...lines];
  for (let before = -1; before !== kept.length; ) {
    before = kept.length;
    const text = codeOf(kept.join("\n"));
    kept = kept.filter((line) => {
      const name = /^\s*const ([\w$]+) = .*;$/.exec(line)?.[1];
      return name === undefined || (text.match(variable(name))?.length ?? 0) > 1;
    });
  }
  return kept;
}

function variable(name: string): RegExp {
  return new RegExp(`(?<![\\w$.#])${name.replaceAll("$", "\\$")}(?![\\w$]|: )`, "g");
}

/** Without comments, strings and the text of templates, of which only what is inserted is left. */
function codeOf(text: string): string {
  return text.replace(/"(?:[^"\\\n]|\\.)*"|\/\*.*?\*\/|\/\/[^\n]*|`(?:[^`\\]|\\.)*`/g, (literal) => {
    if (!literal.startsWith("`")) return "";
    return [...literal.matchAll(/\$\{([^}]*)\}/g)].map((inserted) => inserted[1]).join(" ");
  });
}
