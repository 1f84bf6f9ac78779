/**
 * Text → tokens. Keywords are contextual: every one of them but `true` and `false` is also a `Name`, because source
 * documents have fields called `type`, `flags`, `output`, `bits` or `reserved`. The grammar decides by position.
 */
import type { IToken, TokenType } from "chevrotain";
import { createToken, Lexer } from "chevrotain";
import type { Diagnostic } from "./diagnostics.js";
import type { Span } from "./syntax.js";

/** Anything that may name a field, a member or a constant. */
export const Name: TokenType = createToken({ name: "Name", pattern: Lexer.NA, label: "a name" });
/**
 * What may name a type as well: names that begin no declaration and no member. Where a member may stand, `optional`
 * or `struct` must be what it looks like, or a forgotten `}` would turn the next declaration into a field.
 */
export const TypeName: TokenType = createToken({
  name: "TypeName",
  pattern: Lexer.NA,
  label: "a type",
  categories: Name,
});
export const BinaryOperator: TokenType = createToken({ name: "BinaryOperator", pattern: Lexer.NA });
export const UnaryOperator: TokenType = createToken({ name: "UnaryOperator", pattern: Lexer.NA });

const Identifier: TokenType = createToken({
  name: "Identifier",
  pattern: /[A-Za-z_][A-Za-z0-9_]*/,
  categories: TypeName,
});

const vocabulary: TokenType[] = [];

function keyword(text: string, categories: TokenType | TokenType[]): TokenType {
  const name = `\`${text}\``;
  const type = createToken({ name, pattern: text, label: name, longer_alt: Identifier, categories });
  vocabulary.push(type);
  return type;
}

function symbol(text: string, categories: TokenType[] = []): TokenType {
  const name = `\`${text}\``;
  const type = createToken({ name, pattern: text, label: name, categories });
  vocabulary.push(type);
  return type;
}

export const Const: TokenType = keyword("const", Name);
export const Closed: TokenType = keyword("closed", Name);
export const Enum: TokenType = keyword("enum", Name);
export const Flags: TokenType = keyword("flags", Name);
export const Struct: TokenType = keyword("struct", Name);
export const Stream: TokenType = keyword("stream", Name);
export const Commands: TokenType = keyword("commands", Name);
export const Messages: TokenType = keyword("messages", Name);
export const Import: TokenType = keyword("import", Name);
export const Reserved: TokenType = keyword("reserved", Name);
export const Bits: TokenType = keyword("bits", Name);
export const Within: TokenType = keyword("within", Name);
export const If: TokenType = keyword("if", Name);
export const Else: TokenType = keyword("else", Name);
export const Optional: TokenType = keyword("optional", Name);
export const Switch: TokenType = keyword("switch", Name);
export const Case: TokenType = keyword("case", Name);
export const Default: TokenType = keyword("default", Name);
export const Where: TokenType = keyword("where", Name);

export const Module: TokenType = keyword("module", TypeName);
export const Little: TokenType = keyword("little", TypeName);
export const Big: TokenType = keyword("big", TypeName);
export const Native: TokenType = keyword("native", TypeName);
export const Extends: TokenType = keyword("extends", TypeName);
export const In: TokenType = keyword("in", TypeName);
export const As: TokenType = keyword("as", TypeName);
export const Msb: TokenType = keyword("msb", TypeName);
export const AtMost: TokenType = keyword("at_most", TypeName);
export const Keep: TokenType = keyword("keep", TypeName);
export const Skip: TokenType = keyword("skip", TypeName);
export const Refuse: TokenType = keyword("refuse", TypeName);
export const While: TokenType = keyword("while", TypeName);
export const Bytes: TokenType = keyword("bytes", TypeName);
export const Output: TokenType = keyword("output", TypeName);
export const Fds: TokenType = keyword("fds", TypeName);
export const ReplyFds: TokenType = keyword("reply_fds", TypeName);
export const Ack: TokenType = keyword("ack", TypeName);
export const Always: TokenType = keyword("always", TypeName);
export const Needs: TokenType = keyword("needs", TypeName);
export const Group: TokenType = keyword("group", TypeName);
export const SizeOf: TokenType = keyword("sizeof", TypeName);
export const Peek: TokenType = keyword("peek", TypeName);

/** In expressions they could not be told from the values. */
export const True: TokenType = keyword("true", []);
export const False: TokenType = keyword("false", []);

// Longer ones first: the lexer takes the first that matches.
export const Arrow: TokenType = symbol("->");
export const DotDot: TokenType = symbol("..");
symbol("<<", [BinaryOperator]);
symbol(">>", [BinaryOperator]);
symbol("<=", [BinaryOperator]);
symbol(">=", [BinaryOperator]);
symbol("==", [BinaryOperator]);
symbol("!=", [BinaryOperator]);
symbol("&&", [BinaryOperator]);
symbol("||", [BinaryOperator]);
symbol("<", [BinaryOperator]);
symbol(">", [BinaryOperator]);
symbol("&", [BinaryOperator]);
symbol("|", [BinaryOperator]);
symbol("^", [BinaryOperator]);
symbol("+", [BinaryOperator]);
symbol("*", [BinaryOperator]);
symbol("/", [BinaryOperator]);
symbol("%", [BinaryOperator]);
symbol("~", [UnaryOperator]);
symbol("!", [UnaryOperator]);
export const Minus: TokenType = symbol("-", [BinaryOperator, UnaryOperator]);
export const Assign: TokenType = symbol("=");
export const Question: TokenType = symbol("?");
export const Colon: TokenType = symbol(":");
export const Semicolon: TokenType = symbol(";");
export const Comma: TokenType = symbol(",");
export const Dot: TokenType = symbol(".");
export const LCurly: TokenType = symbol("{");
export const RCurly: TokenType = symbol("}");
export const LParen: TokenType = symbol("(");
export const RParen: TokenType = symbol(")");
export const LSquare: TokenType = symbol("[");
export const RSquare: TokenType = symbol("]");

export const Integer: TokenType = createToken({
  name: "Integer",
  pattern: /(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0|[1-9][0-9]*)(?![0-9A-Za-z_]|\.[0-9])/,
  label: "a number",
});
/** Whatever else begins with a digit: one token, so that one mistake gives one diagnostic. */
const BadInteger: TokenType = createToken({
  name: "BadInteger",
  pattern: /[0-9][0-9A-Za-z_]*(?:\.[0-9][0-9A-Za-z_]*)?/,
  categories: Integer,
});

const Whitespace: TokenType = createToken({
  name: "Whitespace",
  pattern: /[ \t\r\n]+/,
  group: Lexer.SKIPPED,
  line_breaks: true,
});
/** Four slashes and more are a ruler, not documentation. */
const DocComment: TokenType = createToken({
  name: "DocComment",
  pattern: /\/\/\/(?!\/)[^\n]*/,
  group: "docs",
});
const LineComment: TokenType = createToken({
  name: "LineComment",
  pattern: /\/\/[^\n]*/,
  group: Lexer.SKIPPED,
});
const BlockComment: TokenType = createToken({
  name: "BlockComment",
  pattern: /\/\*[\s\S]*?\*\//,
  group: Lexer.SKIPPED,
  line_breaks: true,
});
const UnclosedComment: TokenType = createToken({
  name: "UnclosedComment",
  pattern: /\/\*[\s\S]*/,
  group: "unclosed",
  line_breaks: true,
});

export const allTokens: readonly TokenType[] = [
  Whitespace,
  DocComment,
  LineComment,
  BlockComment,
  UnclosedComment,
  ...vocabulary,
  Integer,
  BadInteger,
  Identifier,
  Name,
  TypeName,
  BinaryOperator,
  UnaryOperator,
];

/** Checks its own definition only when told to: the tests do, programs save the time. */
export function createLexer(skipValidations: boolean): Lexer {
  return new Lexer([...allTokens], {
    positionTracking: "onlyOffset",
    ensureOptimizations: true,
    skipValidations,
  });
}

let lexer: Lexer | undefined;

export interface Tokens {
  readonly tokens: IToken[];
  /** The `///` comments, in the order of the file. */
  readonly docs: readonly IToken[];
  readonly diagnostics: readonly Diagnostic[];
}

export function spanOf(token: IToken): Span {
  return { start: token.startOffset, end: token.startOffset + token.image.length };
}

export function tokenize(file: string, text: string): Tokens {
  lexer ??= createLexer(true);
  const { tokens, groups, errors } = lexer.tokenize(text);
  const diagnostics: Diagnostic[] = errors.map((error) =>
    badCharacter(file, text, error.offset, error.length),
  );
  for (const comment of groups["unclosed"] ?? []) {
    const span = { start: comment.startOffset, end: comment.startOffset + 2 };
    diagnostics.push({ code: "unclosed-comment", message: "this comment is never closed", file, span });
  }
  for (const token of tokens) {
    if (token.tokenType !== Integer && token.tokenType !== BadInteger) continue;
    const problem = integerProblem(token);
    if (problem !== undefined) {
      diagnostics.push({ code: "bad-number", message: problem, file, span: spanOf(token) });
    }
  }
  return { tokens, docs: groups["docs"] ?? [], diagnostics };
}

/** Zero for a number that has been reported. */
export function integerValue(token: IToken): bigint {
  return integerProblem(token) === undefined ? BigInt(token.image) : 0n;
}

/** Enough for 64 binary digits. Longer text is not even turned into a number: that takes more than linear time. */
const MAX_DIGITS = 66;

function integerProblem(token: IToken): string | undefined {
  const { image } = token;
  const shown = `\`${image.length > 40 ? `${image.slice(0, 40)}…` : image}\``;
  if (token.tokenType === Integer) {
    const tooWide = image.length > MAX_DIGITS || BigInt(image) >= 1n << 64n;
    return tooWide ? `${shown} does not fit in 64 bits` : undefined;
  }
  if (/^0[0-7]+$/.test(image)) {
    return `${shown} would be octal in C: write it in decimal or with \`0x\``;
  }
  if (/^0[0-9]+$/.test(image)) return `${shown} may not begin with a zero`;
  if (image.includes(".")) return `${shown} is not an integer`;
  if (/^(?:0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]+$/.test(image)) return `${shown}: numbers have no suffix here`;
  if (image.includes("_")) return `${shown}: digits cannot be grouped with \`_\``;
  return `${shown} is not a number`;
}

function badCharacter(file: string, text: string, offset: number, length: number): Diagnostic {
  // The lexer gathers a run of characters that it cannot read; a whole line of them is not worth showing.
  const run = [...text.slice(offset, offset + Math.min(length, 20))];
  const first = run[0] ?? "";
  const more = run.length > 1 ? ` and what follows it` : "";
  const code = first.codePointAt(0) ?? 0;
  const shown = /[\p{L}\p{N}\p{P}\p{S}]/u.test(first)
    ? `\`${first}\``
    : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return {
    code: "bad-character",
    message: `unexpected character ${shown}${more}`,
    file,
    span: { start: offset, end: offset + length },
  };
}
