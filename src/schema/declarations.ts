/** Checks declarations, one after the other: constants, enums, flag sets, structs. Tables are in `tables.ts`. */

import { deriveRoles } from "./derive.js";
import type { StructDraft } from "./draft.js";
import { checkConstant } from "./expressions.js";
import { Intervals } from "./intervals.js";
import type { Const, Enum, EnumMember, Field, Flag, Flags, Node, Param, ParamType, Struct } from "./ir.js";
import { isChecked, isFlatStruct, layOut } from "./layout.js";
import { checkMembers } from "./members.js";
import { intType, rawRange, scalarOf } from "./scalars.js";
import { docOf, type Scope } from "./scope.js";
import type { ConstSyntax, EnumSyntax, FlagsSyntax, Name, ParamSyntax, StructSyntax } from "./syntax.js";

export function checkConst(scope: Scope, syntax: ConstSyntax): Const | undefined {
  const value = checkConstant(scope, syntax.value);
  return value && { kind: "const", ...base(scope, syntax), value: value.value };
}

export function checkEnum(scope: Scope, syntax: EnumSyntax): Enum | undefined {
  const int = scalar(scope, syntax.scalar);
  if (!int) return undefined;
  if (syntax.closed && syntax.members.length === 0) {
    scope.error("empty-block", syntax.name.span, `a closed enum without members refuses every value`);
    return undefined;
  }
  const range = rawRange(int.bits, int.signed);
  const members: EnumMember[] = [];
  const values = new Intervals<string>();
  for (const member of syntax.members) {
    const from = checkConstant(scope, member.value);
    const to = member.to ? checkConstant(scope, member.to) : from;
    if (!from || !to) continue;
    const { span } = member.name;
    if (from.value < range.min || to.value > range.max) {
      scope.error("value-range", span, `\`${member.name.text}\` does not fit into \`${syntax.scalar.text}\``);
      continue;
    }
    if (to.value < from.value) {
      scope.error("empty-range", span, `the range of \`${member.name.text}\` ends before it begins`);
      continue;
    }
    const clash = values.claim(from.value, to.value, member.name.text);
    if (clash !== undefined) {
      scope.error(
        "overlapping-value",
        span,
        `\`${member.name.text}\` has a value that \`${clash}\` has already`,
      );
      continue;
    }
    members.push({
      name: member.name.text,
      value: from.value,
      to: to.value,
      doc: docOf(member.doc),
      line: scope.line(span),
    });
  }
  return {
    kind: "enum",
    ...base(scope, syntax),
    scalar: syntax.scalar.text,
    int,
    closed: syntax.closed,
    members,
  };
}

export function checkFlags(scope: Scope, syntax: FlagsSyntax): Flags | undefined {
  const int = scalar(scope, syntax.scalar);
  if (!int) return undefined;
  if (int.signed) {
    const { text, span } = syntax.scalar;
    scope.error("unknown-name", span, `\`${text}\` is not an unsigned integer type, and masks have no sign`);
    return undefined;
  }
  const parent = syntax.extends && scope.lookup(syntax.extends.text);
  if (syntax.extends && parent?.kind !== "flags") {
    scope.unknown(syntax.extends, "a flag set");
    return undefined;
  }
  const members: Flag[] = parent?.kind === "flags" ? [...parent.members] : [];
  const { max } = rawRange(int.bits, false);
  for (const member of syntax.members) {
    const mask = checkConstant(scope, member.value);
    if (!mask) continue;
    const { span } = member.name;
    if (mask.value < 1n || mask.value > max) {
      scope.error("value-range", span, `\`${member.name.text}\` is not a mask of \`${syntax.scalar.text}\``);
      continue;
    }
    const clash = members.find((other) => (other.mask & mask.value) !== 0n);
    if (clash) {
      scope.error(
        "overlapping-value",
        span,
        `\`${member.name.text}\` has a bit that \`${clash.name}\` has already`,
      );
      continue;
    }
    members.push({
      name: member.name.text,
      mask: mask.value,
      doc: docOf(member.doc),
      line: scope.line(span),
    });
  }
  return {
    kind: "flags",
    ...base(scope, syntax),
    scalar: syntax.scalar.text,
    int,
    extends: parent?.kind === "flags" ? parent : undefined,
    members,
  };
}

export function checkStruct(scope: Scope, syntax: StructSyntax): Struct | undefined {
  const params = checkParams(scope, syntax.params);
  const struct: StructDraft = {
    kind: "struct",
    ...base(scope, syntax),
    stream: syntax.stream,
    params,
    size: { min: 0, max: 0 },
    fixed: undefined,
    greedy: false,
    checked: false,
    flat: false,
    nodes: [],
    fields: [],
    table: undefined,
  };
  if (syntax.members.length === 0) {
    scope.error("empty-block", syntax.name.span, `\`${syntax.name.text}\` has no members`);
    return undefined;
  }
  const items = checkMembers(scope, struct, syntax.order ?? scope.syntax.order, params, syntax.members);
  const { nodes, size, greedy } = layOut(scope, items);
  deriveRoles(nodes);
  struct.nodes = nodes;
  struct.size = size;
  struct.fixed = size.min === size.max && !greedy ? size.min : undefined;
  struct.greedy = greedy;
  struct.checked = isChecked(nodes);
  struct.flat = isFlatStruct(nodes);
  struct.fields = fieldsOf(nodes);
  return struct;
}

function checkParams(scope: Scope, params: readonly ParamSyntax[]): Param[] {
  const checked: Param[] = [];
  for (const { type, name } of params) {
    if (checked.some((other) => other.name === name.text)) {
      scope.error("duplicate-name", name.span, `there is a parameter \`${name.text}\` already`);
      continue;
    }
    const paramType = checkParamType(scope, type);
    if (paramType) checked.push({ name: name.text, type: paramType, implicit: false });
  }
  return checked;
}

function checkParamType(scope: Scope, type: Name): ParamType | undefined {
  if (type.text === "bool" || type.text === "order") return { kind: type.text };
  const plain = scalarOf(type.text);
  // A parameter is a value, not bytes: it has no order.
  if (plain)
    return { kind: "int", int: intType({ ...plain, order: "little" }, "little"), meaning: undefined };
  const meaning = scope.lookup(type.text);
  if (meaning?.kind === "enum" || meaning?.kind === "flags")
    return { kind: "int", int: meaning.int, meaning };
  scope.unknown(type, "a type of parameter (an integer, an enum, a flag set, bool or order)");
  return undefined;
}

function scalar(scope: Scope, name: Name): Enum["int"] | undefined {
  const found = scalarOf(name.text);
  if (found) return intType(found, scope.syntax.order === "big" ? "big" : "little");
  scope.unknown(name, "an integer type");
  return undefined;
}

function base(scope: Scope, syntax: { readonly name: Name; readonly doc: ConstSyntax["doc"] }) {
  return {
    name: syntax.name.text,
    module: scope.module,
    doc: docOf(syntax.doc),
    line: scope.line(syntax.name.span),
  };
}

function fieldsOf(nodes: readonly Node[]): Field[] {
  return nodes.flatMap((node) => {
    switch (node.kind) {
      case "run":
        return node.slots.flatMap((slot) => (slot.kind === "field" ? [slot.field] : slot.fields));
      case "field":
        return [node.field];
      case "range":
      case "optional":
        return fieldsOf(node.body);
      case "if":
        return [...fieldsOf(node.then), ...fieldsOf(node.else)];
      case "switch":
      case "where":
        return [];
    }
  });
}
