/**
 * What every layer of the parser stands on: where it is in the text, the doc comments, the limits, and how it goes on
 * after a mistake.
 *
 * Recovery has two layers. Chevrotain inserts a missing `;` or bracket, drops a single stray token, and steps over what
 * cannot begin a member. Everything else ends the statement: `guarded` skips to the end of it and goes on with the
 * next, because the follow sets that chevrotain would resynchronise on contain every name.
 */
import type { IToken, ParserMethod, TokenType } from "chevrotain";
import { EmbeddedActionsParser, EOF, isRecognitionException, tokenMatcher } from "chevrotain";
import { DocComments } from "../doc.js";
import * as t from "../lexer.js";
import type { DocSyntax, Name, Span } from "../syntax.js";
import { Expectations, GivingUp } from "./expectations.js";

/** A rule of the grammar: it makes an `R`, and may be told something by the rule that calls it. */
export type Rule<R, A extends unknown[] = []> = ParserMethod<A, R>;

/** A mistake that the grammar can read past, but must not accept. */
export interface Finding {
  readonly code: string;
  readonly message: string;
  readonly span: Span;
}

/** Members and parentheses inside each other. Each level costs the parser, and all that follows it, some stack. */
const MAX_DEPTH = 64;

const declarationWords = new Set([
  t.Const,
  t.Closed,
  t.Enum,
  t.Flags,
  t.Struct,
  t.Stream,
  t.Commands,
  t.Messages,
  t.Import,
]);

/** Punctuation that stands for nothing in the tree. A name must not be made up. */
const insertable = new Set([t.Semicolon, t.Comma, t.Colon, t.RParen, t.RSquare]);

/** For every rule: recovery is `guarded`'s. */
export const NO_RESYNC: { readonly resyncEnabled: false } = { resyncEnabled: false };

export class RecoveringParser extends EmbeddedActionsParser {
  private readonly expectations: Expectations;
  private docs: DocComments = new DocComments("", [], []);
  private text = "";
  private tokens: readonly IToken[] = [];
  private found: Finding[] = [];
  private depth = 0;

  constructor(skipValidations: boolean) {
    const expectations = new Expectations();
    super([...t.allTokens], {
      recoveryEnabled: true,
      maxLookahead: 1,
      errorMessageProvider: expectations,
      skipValidations,
    });
    this.expectations = expectations;
  }

  get findings(): readonly Finding[] {
    return this.found;
  }

  /** Runs a rule over a text. */
  protected over<T>(text: string, tokens: IToken[], docs: DocComments, rule: () => T): T {
    this.expectations.reset();
    this.docs = docs;
    this.text = text;
    this.tokens = tokens;
    this.found = [];
    this.depth = 0;
    this.input = tokens;
    try {
      return rule();
    } finally {
      // Only the parser stays: a file and its tokens must not be kept alive by it.
      this.docs = new DocComments("", [], []);
      this.text = "";
      this.tokens = [];
    }
  }

  protected override canTokenTypeBeInsertedInRecovery(type: TokenType): boolean {
    // A `}` is missing only where something begins that cannot stand inside the block.
    if (type === t.RCurly) return this.at(EOF) || this.atDeclaration();
    return insertable.has(type);
  }

  protected at(type: TokenType): boolean {
    return this.LA(1).tokenType === type;
  }

  protected start(): number {
    return this.LA(1).startOffset;
  }

  protected spanFrom(start: number): Span {
    return { start, end: t.spanOf(this.LA(0)).end };
  }

  protected takeDoc(): DocSyntax {
    return this.docs.take(this.start());
  }

  protected carryDoc(from: number): void {
    this.docs.carry(from, this.start());
  }

  protected find(code: string, message: string, span: Span): void {
    this.expectations.spend(this.LA(1));
    this.found.push({ code, message, span });
  }

  protected deeper<T>(parse: () => T): T {
    if (++this.depth > MAX_DEPTH) {
      throw new GivingUp(`nested more than ${MAX_DEPTH} levels deep`, this.LA(1));
    }
    try {
      return parse();
    } finally {
      this.depth--;
    }
  }

  /** A statement with a mistake in it is lost, and reading goes on behind it. */
  protected guarded<T>(parse: () => T, skip: (open: number) => void): T | undefined {
    const start = this.start();
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof Error && isRecognitionException(error))) throw error;
      this.expectations.spend(this.LA(1));
      skip.call(this, this.openSince(start));
      return undefined;
    }
  }

  /** How many `{` the lost part of a statement has left open. Their `}` must not close what is around it. */
  private openSince(start: number): number {
    const end = this.start();
    let open = 0;
    for (let at = this.tokens.length - 1; at >= 0; at--) {
      const token = this.tokens[at];
      if (token === undefined || token.startOffset >= end) continue;
      if (token.startOffset < start) break;
      if (token.tokenType === t.LCurly) open++;
      if (token.tokenType === t.RCurly) open--;
    }
    return open;
  }

  protected skipMember(open: number): void {
    this.skipPast([t.Comma, t.Semicolon], open);
  }

  protected skipStatement(open: number): void {
    this.skipPast([t.Semicolon], open);
  }

  /** To behind the end of a statement: its last token, or the `}` of the first block in it. */
  private skipPast(last: readonly TokenType[], alreadyOpen: number): void {
    for (let open = alreadyOpen; !this.at(EOF) && !this.atDeclaration(); ) {
      if (this.at(t.RCurly) && open === 0) return;
      const type = this.LA(1).tokenType;
      this.SKIP_TOKEN();
      if (type === t.LCurly) open++;
      if (type === t.RCurly && --open === 0) return;
      if (last.includes(type) && open === 0) return;
    }
  }

  protected skipDeclaration(): void {
    while (!this.at(EOF) && !this.atDeclaration()) this.SKIP_TOKEN();
  }

  /** Something that looks like a declaration at the beginning of a line, whatever brackets are open. */
  private atDeclaration(): boolean {
    const token = this.LA(1);
    if (!declarationWords.has(token.tokenType) || !tokenMatcher(this.LA(2), t.Name)) return false;
    const lineStart = this.text.lastIndexOf("\n", token.startOffset) + 1;
    return this.text.slice(lineStart, token.startOffset).trim() === "";
  }
}

/** Each member of a union without its span. */
export type Unplaced<T> = T extends { readonly span: Span } ? Omit<T, "span"> : never;

export function nameOf(token: IToken): Name {
  return { text: token.image, span: t.spanOf(token) };
}
