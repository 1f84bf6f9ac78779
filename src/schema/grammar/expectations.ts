/** What the messages of the parser say was expected, and how many of them there may be. */
import type { IParserErrorMessageProvider, IToken } from "chevrotain";
import { EOF } from "chevrotain";
import * as t from "../lexer.js";

/** Thrown to give up on a file: its nesting would exhaust the stack, or there is no sense in reading on. */
export class GivingUp extends Error {
  readonly token: IToken;

  constructor(message: string, token: IToken) {
    super(message);
    this.token = token;
  }
}

const MAX_ERRORS = 100;

export const DECLARATION =
  "a declaration (`const`, `enum`, `flags`, `struct`, `stream`, `commands` or `messages`)";
export const SCALAR = "a scalar type, e.g. `le16`";

/**
 * Says what was expected and leaves the rest of the sentence to whoever reports it. It is asked once per error, which
 * is what keeps chevrotain from recovering for ever: its recovery inside repetitions recurses.
 */
export class Expectations implements IParserErrorMessageProvider {
  private left = MAX_ERRORS;

  reset(): void {
    this.left = MAX_ERRORS;
  }

  spend(token: IToken): void {
    if (--this.left < 0) throw new GivingUp("too many errors: the rest of the file was not read", token);
  }

  buildMismatchTokenMessage({ expected, actual, ruleName }: MismatchOptions): string {
    this.spend(actual);
    if (expected === EOF) return DECLARATION;
    if (expected === t.Semicolon && ruleName === "row") return "`->`, an attribute of the row, or `;`";
    if (expected === t.RCurly) return blockContents[ruleName] ?? "`}`";
    return expected.LABEL ?? expected.name;
  }

  buildNotAllInputParsedMessage(): string {
    return DECLARATION;
  }

  buildNoViableAltMessage({ actual, customUserDescription }: NoViableAltOptions): string {
    const [first] = actual;
    if (first) this.spend(first);
    return customUserDescription ?? "something else";
  }

  buildEarlyExitMessage({ customUserDescription }: EarlyExitOptions): string {
    return customUserDescription ?? "something else";
  }
}

type MismatchOptions = Parameters<IParserErrorMessageProvider["buildMismatchTokenMessage"]>[0];
type NoViableAltOptions = Parameters<IParserErrorMessageProvider["buildNoViableAltMessage"]>[0];
type EarlyExitOptions = Parameters<IParserErrorMessageProvider["buildEarlyExitMessage"]>[0];

/** What may stand before the `}` that a rule ends with. */
const blockContents: Readonly<Record<string, string>> = {
  block: "a field or `}`",
  bits: "a bit field or `}`",
  switch: "`case`, `default` or `}`",
  enum: "a member or `}`",
  flags: "a member or `}`",
  table: "a row (`NUMBER NAME (…);`) or `}`",
  import: "a name or `}`",
};
