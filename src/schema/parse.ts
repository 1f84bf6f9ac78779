/** One `.wire` file → its syntax tree, with everything that is wrong with its syntax. */
import type { IRecognitionException, IToken } from "chevrotain";
import { EOF, NotAllInputParsedException, tokenMatcher } from "chevrotain";
import type { Diagnostic } from "./diagnostics.js";
import { DocComments } from "./doc.js";
import { GivingUp, WireParser } from "./grammar/index.js";
import {
  LCurly,
  LParen,
  LSquare,
  Name,
  RCurly,
  RParen,
  RSquare,
  spanOf,
  TypeName,
  tokenize,
} from "./lexer.js";
import type { ModuleSyntax, Span } from "./syntax.js";

export interface Parsed {
  /** Undefined when part of the text could not be read: what is missing would be reported as unknown names. */
  readonly module: ModuleSyntax | undefined;
  /** The name of the module, also where the rest of it could not be read. */
  readonly name: string | undefined;
  /** In the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
}

/** No schema comes near it. A file that does is something else by mistake. */
const MAX_LENGTH = 1 << 20;
/** A file of another kind is one mistake, not thousands. */
const MAX_DIAGNOSTICS = 100;

let parser: WireParser | undefined;

export function parse(file: string, text: string): Parsed {
  if (text.length > MAX_LENGTH) {
    const message = `a schema may be ${MAX_LENGTH} characters long, this file has ${text.length}`;
    return {
      module: undefined,
      name: undefined,
      diagnostics: [{ code: "limit", message, file, span: { start: 0, end: 0 } }],
    };
  }
  parser ??= new WireParser(true);
  const { tokens, docs: comments, diagnostics: lexical } = tokenize(file, text);
  const docs = new DocComments(text, tokens, comments);
  const source: Source = { file, text, tokens };

  let module: ModuleSyntax | undefined;
  let end: Diagnostic | undefined;
  try {
    module = parser.read(file, text, tokens, docs);
  } catch (error) {
    if (!(error instanceof GivingUp)) throw error;
    end = { code: "limit", message: error.message, file, span: placeOf(error.token, text) };
  }

  const errors = end
    ? parser.errors.filter((error) => !(error instanceof NotAllInputParsedException))
    : parser.errors;
  const found = parser.findings.map((finding) => ({ ...finding, file }));
  const unclosed = lexical.some((diagnostic) => diagnostic.code === "unclosed-comment");
  const syntax = errors
    // The comment has swallowed whatever is missing at the end.
    .filter((error) => !(unclosed && error.token.tokenType === EOF))
    .map((error) => describe(source, error));
  const diagnostics = readable(text, [...lexical, ...found, ...syntax, ...(end ? [end] : [])]);
  const name = parser.moduleName;
  if (diagnostics.length > 0) return { module: undefined, name, diagnostics };
  return { module, name, diagnostics: docs.stray(file) };
}

interface Source {
  readonly file: string;
  readonly text: string;
  readonly tokens: readonly IToken[];
}

/**
 * A mistake often makes nonsense of the rest of its line: only the first thing that is said about its syntax helps, and
 * one bad character (the first quote of a string, say) stands for all. What else there is to say is right whatever
 * stands before it.
 */
function readable(text: string, diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const kept: Diagnostic[] = [];
  let lineEnd = -1;
  for (const diagnostic of [...diagnostics].sort((a, b) => a.span.start - b.span.start)) {
    const { code, span } = diagnostic;
    const previous = kept.at(-1);
    if (span.start <= lineEnd && (code === "syntax" || (code === "bad-character" && previous?.code === code)))
      continue;
    kept.push(diagnostic);
    const newline = text.indexOf("\n", span.start);
    lineEnd = newline < 0 ? text.length : newline;
    if (kept.length === MAX_DIAGNOSTICS) break;
  }
  return kept;
}

/** The end of the file is a token without a place. */
function placeOf(token: IToken, text: string): Span {
  return token.tokenType === EOF ? { start: text.length, end: text.length } : spanOf(token);
}

/** `expected a field name, found `;``. The message of the error is only what was expected. */
function describe({ file, text, tokens }: Source, error: IRecognitionException): Diagnostic {
  const found = error.token;
  const atEnd = found.tokenType === EOF;
  const last = atEnd ? tokens.at(-1) : previousToken(tokens, found);
  const before = last === undefined ? 0 : spanOf(last).end;
  const expected = error.message;
  const code = "syntax";

  // What is missing at the end of a line is missing there, and not where the next line begins.
  const closes = /^`[;,:)\]]`$/.test(expected);
  if (closes && last !== undefined && (atEnd || text.slice(before, found.startOffset).includes("\n"))) {
    const message = `expected ${expected} after ${quote(last)}`;
    return { code, message, file, span: { start: before, end: before } };
  }

  const span = atEnd ? { start: before, end: before } : spanOf(found);
  // The C way of writing a bit field.
  const hint = expected === "`;`" && found.image === ":" ? "; bit fields stand in a `bits` block" : "";
  const shown = atEnd ? "the end of the file" : nameFound(found, expected);
  const message = `expected ${expected}, found ${shown}${hint}`;
  const opener = expected.endsWith("`}`")
    ? innermostOpen(tokens, atEnd ? text.length : found.startOffset)
    : undefined;
  if (opener === undefined || opener.tokenType !== LCurly) return { code, message, file, span };
  return { code, message, file, span, related: { message: "opened here", file, span: spanOf(opener) } };
}

/** The token before, in the file: what chevrotain calls the previous one may be one that it skipped to. */
function previousToken(tokens: readonly IToken[], token: IToken): IToken | undefined {
  let low = 0;
  let high = tokens.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tokens[middle]?.startOffset ?? 0) < token.startOffset) low = middle + 1;
    else high = middle;
  }
  return tokens[low - 1];
}

function nameFound(token: IToken, expected: string): string {
  const isKeyword =
    !tokenMatcher(token, TypeName) && (tokenMatcher(token, Name) || /^(?:true|false)$/.test(token.image));
  return isKeyword && /^(?:a|an|the) /.test(expected) ? `the keyword ${quote(token)}` : quote(token);
}

function quote(token: IToken): string {
  return `\`${token.image.length > 40 ? `${token.image.slice(0, 40)}…` : token.image}\``;
}

/** The last bracket before an offset that has not been closed by then. */
function innermostOpen(tokens: readonly IToken[], offset: number): IToken | undefined {
  const open: IToken[] = [];
  for (const token of tokens) {
    if (token.startOffset >= offset) break;
    const type = token.tokenType;
    if (type === LCurly || type === LParen || type === LSquare) open.push(token);
    else if (type === RCurly || type === RParen || type === RSquare) open.pop();
  }
  return open.at(-1);
}
