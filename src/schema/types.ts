/** Types of fields: from syntax to the IR, with dimensions, arguments and byte orders. */
import type { StructContext } from "./context.js";
import { checkCondition, checkExpr, checkLength } from "./expressions.js";
import type { Argument, Count, Enum, FieldType, Flags, Param, Size, Struct } from "./ir.js";
import { withRep } from "./literals.js";
import { intervalOf } from "./ranges.js";
import { contains, intType, rangeOf, type Scalar, scalarOf } from "./scalars.js";
import type { Scope } from "./scope.js";
import { sizeOfType } from "./sizes.js";
import type { DimSyntax, ExprSyntax, FieldSyntax, Name, Span } from "./syntax.js";

/** A single constant-size member larger than this is a slip, not a format. */
const MAX_CONSTANT_SIZE = 16 * 1024 * 1024;

/** Each is a loop inside the loop before in what is generated. */
const MAX_DIMENSIONS = 8;

/** Undefined after a diagnostic. */
export function checkFieldType(context: StructContext, syntax: FieldSyntax): FieldType | undefined {
  return new TypeChecker(context).fieldType(syntax);
}

class TypeChecker {
  private readonly context: StructContext;
  private readonly scope: Scope;

  constructor(context: StructContext) {
    this.context = context;
    this.scope = context.scope;
  }

  fieldType(syntax: FieldSyntax): FieldType | undefined {
    const base = this.baseType(syntax);
    if (!base) return undefined;
    const dims = [...syntax.dims];
    const oneTooMany = dims[MAX_DIMENSIONS];
    if (oneTooMany) {
      this.scope.error("limit", oneTooMany.span, `an array may have at most ${MAX_DIMENSIONS} dimensions`);
      return undefined;
    }
    let type: FieldType;
    if (base.kind === "text" || (base.kind === "int" && isByte(syntax, base))) {
      const inner = dims.pop();
      if (base.kind === "text" && !inner) {
        this.scope.error("char", syntax.type.name.span, "`char` can only be used in arrays");
        return undefined;
      }
      if (!inner) return this.withMeaning(syntax, base);
      const count = this.count(inner, dims.length === 0, { min: 1, max: 1 });
      if (!count) return undefined;
      type =
        base.kind === "text"
          ? { kind: "text", count, padded: count.kind === "const" }
          : { kind: "bytes", count };
    } else {
      const element = this.withMeaning(syntax, base);
      if (!element) return undefined;
      type = element;
    }
    while (dims.length > 0) {
      const dim = dims.pop() as DimSyntax;
      const elementSize = sizeOfType(type);
      const count = this.count(dim, dims.length === 0, elementSize);
      if (!count) return undefined;
      if (!this.isElement(type, elementSize.min, dim.span)) return undefined;
      // Reserved integers are kept as bytes: nobody asks what they mean.
      if (syntax.reserved && type.kind === "int" && count.kind === "const") {
        type = { kind: "bytes", count: { kind: "const", value: count.value * elementSize.min } };
      } else {
        type = { kind: "array", element: type, elementSize, count };
      }
    }
    const size = sizeOfType(type);
    if (size.min > MAX_CONSTANT_SIZE) {
      this.scope.error(
        "too-large",
        syntax.span,
        `this takes at least ${size.min} bytes, more than ${MAX_CONSTANT_SIZE}`,
      );
      return undefined;
    }
    return type;
  }

  private isElement(type: FieldType, min: number, span: Span): boolean {
    if (type.kind === "struct" && type.struct.greedy) {
      const message = `\`${type.struct.name}\` reads to the end of its range, so its elements cannot be told apart`;
      this.scope.error("unsized-element", span, message);
      return false;
    }
    if (min < 1) {
      this.scope.error(
        "unbounded-count",
        span,
        "an element can take no bytes at all, so nothing bounds their number",
      );
      return false;
    }
    return true;
  }

  /** The type without its dimensions: an integer, a struct, or text of length one. */
  private baseType(syntax: FieldSyntax): FieldType | undefined {
    const { name, args } = syntax.type;
    const meaning = this.scope.lookup(name.text);
    const plain = name.text === "char" || scalarOf(name.text) !== undefined;
    if (args.length > 0 && (plain || (meaning && meaning.kind !== "struct"))) {
      this.scope.error("argument-count", name.span, `\`${name.text}\` takes no arguments`);
      return undefined;
    }
    if (name.text === "char") {
      if (syntax.reserved || syntax.as[0]) {
        this.scope.error("char", name.span, "`char` is text: it is neither reserved nor a number");
        return undefined;
      }
      return { kind: "text", count: { kind: "const", value: 1 }, padded: false };
    }
    const scalar = scalarOf(name.text);
    if (scalar) return this.intTypeOf(scalar, undefined, syntax);
    if (meaning?.kind === "enum" || meaning?.kind === "flags") {
      return this.intTypeOf(scalarOf(meaning.scalar), meaning, syntax);
    }
    if (meaning?.kind === "struct") return this.structType(meaning, args, name, syntax);
    this.scope.unknown(name, "a type");
    return undefined;
  }

  private intTypeOf(
    scalar: Scalar | undefined,
    meaning: Enum | Flags | undefined,
    syntax: FieldSyntax,
  ): FieldType | undefined {
    if (!scalar) return undefined;
    const order = this.context.orderOf(syntax.order, scalar.order === "struct");
    return order && { kind: "int", int: intType(scalar, order), meaning };
  }

  private structType(
    struct: Struct,
    args: readonly ExprSyntax[],
    name: Name,
    syntax: FieldSyntax,
  ): FieldType | undefined {
    if (syntax.reserved || syntax.as[0]) {
      this.scope.error(
        "not-a-number",
        name.span,
        `\`${name.text}\` is a struct: it is neither reserved nor a number`,
      );
      return undefined;
    }
    const declared = struct.params.filter((param) => !param.implicit);
    if (args.length !== declared.length) {
      const message = `\`${struct.name}\` takes ${declared.length} argument${declared.length === 1 ? "" : "s"}, given ${args.length}`;
      this.scope.error("argument-count", name.span, message);
      return undefined;
    }
    const checked: Argument[] = [];
    for (const [i, param] of declared.entries()) {
      const argument = this.argument(param, args[i] as ExprSyntax);
      if (!argument) return undefined;
      checked.push(argument);
    }
    const implicit = struct.params.some((param) => param.implicit);
    const order = this.context.orderOf(syntax.order, implicit);
    if (!order) return undefined;
    if (implicit) checked.push({ kind: "order", order });
    return { kind: "struct", struct, args: checked };
  }

  private argument(param: Param, syntax: ExprSyntax): Argument | undefined {
    if (param.type.kind === "order") {
      const name = syntax.kind === "name" && syntax.path.length === 1 ? syntax.path[0] : undefined;
      if (!name) {
        this.scope.error(
          "argument-type",
          syntax.span,
          `\`${param.name}\` is a byte order: little, big or a parameter`,
        );
        return undefined;
      }
      const order = this.context.orderOf(name, true);
      return order && { kind: "order", order };
    }
    if (param.type.kind === "bool") {
      const expr = checkCondition(this.scope, this.context.around(), syntax);
      return expr && { kind: "expr", expr };
    }
    const expr = checkExpr(this.scope, this.context.around(), syntax);
    if (!expr) return undefined;
    const wanted = param.type.int;
    const adapted = withRep(expr, wanted.rep);
    const range = intervalOf(adapted);
    const fits = contains(rangeOf(wanted), range.min) && contains(rangeOf(wanted), range.max);
    if (adapted.rep !== wanted.rep || !fits) {
      this.scope.error(
        "argument-type",
        syntax.span,
        `this does not fit parameter \`${param.name}\` of \`${wanted.bits}\` bits`,
      );
      return undefined;
    }
    return { kind: "expr", expr: adapted };
  }

  /** Applies `as`. */
  private withMeaning(syntax: FieldSyntax, base: FieldType): FieldType | undefined {
    if (base.kind !== "int") return base;
    let { int, meaning } = base;
    for (const as of syntax.as) {
      if (as.text === "number" || as.text === "bigint") {
        if (as.text === "bigint" && int.bits !== 64) {
          this.scope.error("as-bigint", as.span, "only a 64-bit integer can be a bigint");
          return undefined;
        }
        int = { ...int, rep: as.text };
        continue;
      }
      const decl = this.scope.lookup(as.text);
      if (decl?.kind !== "enum" && decl?.kind !== "flags") {
        this.scope.unknown(as, "an enum or a flag set");
        return undefined;
      }
      meaning = decl;
    }
    return { kind: "int", int, meaning };
  }

  private count(dim: DimSyntax, outermost: boolean, element: Size): Count | undefined {
    if (!outermost && dim.kind !== "count") {
      this.scope.error("inner-dimension", dim.span, "only the first dimension can vary");
      return undefined;
    }
    switch (dim.kind) {
      case "rest":
        return { kind: "rest" };
      case "while": {
        const condition = checkCondition(this.scope, this.context.around("peek"), dim.condition);
        if (condition?.kind === "bool") {
          const message = `this condition is always ${condition.value}`;
          this.scope.error("constant-condition", dim.condition.span, message);
          return undefined;
        }
        return condition && { kind: "while", condition };
      }
      case "bytes": {
        const expr = checkLength(this.scope, this.context.around(), dim.value, "the number of bytes");
        // As many bytes as elements, but only where each of them takes one: others may take more.
        const counts = element.min === 1 && element.max === 1;
        return expr && (counts ? { kind: "expr", expr } : { kind: "bytes", expr });
      }
      case "count": {
        const expr = checkLength(this.scope, this.context.around(), dim.value, "the number of elements");
        if (!expr) return undefined;
        if (expr.kind === "int") {
          if (expr.value === 0n) {
            this.scope.error("empty-array", dim.span, "an array of no elements");
            return undefined;
          }
          return { kind: "const", value: Number(expr.value) };
        }
        if (outermost) return { kind: "expr", expr };
        this.scope.error("inner-dimension", dim.span, "only the first dimension can vary");
        return undefined;
      }
    }
  }
}

function isByte(syntax: FieldSyntax, type: Extract<FieldType, { kind: "int" }>): boolean {
  return type.int.bits === 8 && !type.int.signed && !type.meaning && syntax.as.length === 0;
}
