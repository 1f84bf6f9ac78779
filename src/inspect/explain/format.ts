/** Formats of printf, and of Rust's `format!`, turned round: from a line to the values that were put into it. */
import { Values } from "./values.js";

interface Conversion {
  readonly pattern: string;
  /** Undefined for text. */
  readonly parse: ((text: string) => bigint) | undefined;
}

const TEXT: Conversion = { pattern: "(.*?)", parse: undefined };
const DECIMAL: Conversion = { pattern: "(-?\\d+)", parse: (text) => BigInt(text) };
const HEX: Conversion = { pattern: "([0-9a-fA-F]+)", parse: (text) => BigInt(`0x${text}`) };
const PREFIXED: Conversion = { pattern: "(0[xX][0-9a-fA-F]+|0)", parse: (text) => BigInt(text) };

/** Conversions of printf, `%%` and, in Rust's formats, what stands in braces. */
const C_CONVERSION = /%%|%(#?)[-+ 0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t)?([diuxXspc])/g;
const RUST_CONVERSION = /\{\w*(?::\?)?\}/g;

export class Format {
  /** Letters that a line must have: the more, the less likely it is by accident. */
  readonly weight: number;
  private readonly pattern: RegExp;
  private readonly conversions: readonly Conversion[] = [];
  private readonly names: readonly string[];

  /** `isWhole`: nothing may stand behind it, and in front of it only what `prefix` allows. */
  constructor(format: string, names: readonly string[], language: "c" | "rust", isWhole: boolean) {
    const conversions: Conversion[] = [];
    let pattern = "";
    let literal = "";
    let at = 0;
    for (const match of format.matchAll(language === "c" ? C_CONVERSION : RUST_CONVERSION)) {
      literal += format.slice(at, match.index);
      pattern += escaped(format.slice(at, match.index));
      at = match.index + match[0].length;
      if (match[0] === "%%") {
        pattern += "%";
        continue;
      }
      const conversion = conversionOf(language === "rust" ? "s" : (match[2] ?? ""), match[1] === "#");
      conversions.push(conversion);
      pattern +=
        conversion === TEXT ? textPattern(match.index === 0, at === format.length) : conversion.pattern;
    }
    literal += format.slice(at);
    pattern += escaped(format.slice(at));
    this.conversions = conversions;
    this.names = names;
    this.weight = literal.replace(/[^A-Za-z]/g, "").length;
    this.pattern = new RegExp(isWhole ? `^${pattern}$` : pattern, "d");
  }

  /** Where the line holds it, and its values. */
  match(line: string): { readonly from: number; readonly to: number; readonly values: Values } | undefined {
    const match = this.pattern.exec(line);
    if (match === null) return undefined;
    const texts = new Map<string, string>();
    const numbers = new Map<string, bigint>();
    this.conversions.forEach(({ parse }, i) => {
      const name = this.names[i] ?? "";
      const text = match[i + 1] ?? "";
      texts.set(name, text);
      if (parse !== undefined) numbers.set(name, parse(text));
    });
    return { from: match.index, to: match.index + match[0].length, values: new Values(texts, numbers) };
  }
}

/** Text in front is one word, or it would take the prefixes of the line along; at the end it is all that is left. */
function textPattern(isFirst: boolean, isLast: boolean): string {
  if (isFirst) return "(\\S+)";
  return isLast ? "(.*)" : "(.*?)";
}

function conversionOf(letter: string, isPrefixed: boolean): Conversion {
  if (letter === "x" || letter === "X") return isPrefixed ? PREFIXED : HEX;
  if (letter === "p") return PREFIXED;
  return letter === "s" || letter === "c" ? TEXT : DECIMAL;
}

/** Logs are wrapped and indented anew: any white space stands for any other. */
function escaped(literal: string): string {
  return literal.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+");
}
