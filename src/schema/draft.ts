/** IR objects while they are being made: the same shapes, still writable. */
import type { Case, Expr, Field, IntType, Struct, SwitchNode, WhereNode } from "./ir.js";
import type { Span } from "./syntax.js";

export type Draft<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A member with its types and names resolved, but without a place yet. `members.ts` makes items of syntax, `layout.ts`
 * makes nodes of items.
 */
export type Item =
  | { readonly kind: "field"; readonly field: Draft<Field>; readonly span: Span }
  | {
      readonly kind: "bits";
      readonly int: IntType;
      readonly fields: readonly Draft<Field>[];
      readonly span: Span;
    }
  | {
      readonly kind: "range";
      readonly name: string;
      readonly length: Expr;
      readonly body: readonly Item[];
      readonly line: number;
      readonly span: Span;
    }
  | {
      readonly kind: "if";
      readonly condition: Expr;
      readonly then: readonly Item[];
      readonly else: readonly Item[];
      readonly line: number;
      readonly span: Span;
    }
  | { readonly kind: "optional"; readonly body: readonly Item[]; readonly line: number; readonly span: Span }
  | SwitchItem
  | { readonly kind: "where"; readonly node: WhereNode; readonly span: Span };

export interface SwitchItem {
  readonly kind: "switch";
  readonly head: Pick<SwitchNode, "name" | "on" | "conditional" | "doc" | "line">;
  readonly cases: readonly (Omit<Case, "arm"> & { readonly arm: ArmItem | undefined })[];
  readonly default: DefaultItem;
  readonly span: Span;
}

export interface ArmItem {
  readonly field: Draft<Field>;
  readonly where: WhereNode | undefined;
  readonly span: Span;
}

export type DefaultItem =
  | { readonly kind: "keep"; readonly arm: ArmItem }
  | { readonly kind: "skip"; readonly condition: Expr; readonly arm: ArmItem }
  | { readonly kind: "refuse"; readonly line: number };

export type StructDraft = Draft<Struct>;
