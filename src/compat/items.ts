/** What a struct consists of, one line of the schema after the other, each with the facets in which it can change. */
import type { Enum, Field, Flags, Node, Struct } from "../schema/ir.js";
import { innermost } from "../schema/structure.js";
import { baseText, countText, expressionText } from "./describe.js";
import { meaningIn } from "./meaning.js";

export interface Item {
  readonly kind: "field" | "arm" | "range" | "switch" | "where";
  /** What it is found by in the other version. */
  readonly key: string;
  readonly name: string;
  readonly line: number;
  readonly field: Field | undefined;
  readonly reserved: boolean;
  /** Under an `optional`, or under a condition. */
  readonly optional: boolean;
  readonly conditional: boolean;
  /** The field that a constraint stands at. */
  readonly bound: string | undefined;
  /** The switch of an arm. */
  readonly choice: string | undefined;
  /** Of a switch: unknown tags are refused, if only under a condition. */
  readonly refuses: boolean;
  readonly facets: Readonly<Record<Facet, string>>;
}

export type Facet = "type" | "meaning" | "count" | "constant" | "guard" | "labels" | "expression" | "default";

/** The guard of members that a range bounds. */
export const WITHIN = "within a range";

interface Around {
  readonly guard: string;
  readonly optional: boolean;
  readonly conditional: boolean;
}

const NO_FACETS: Item["facets"] = {
  type: "",
  meaning: "",
  count: "",
  constant: "",
  guard: "",
  labels: "",
  expression: "",
  default: "",
};

export function itemsOf(struct: Struct): Item[] {
  return collect(struct.nodes, { guard: "", optional: false, conditional: false });
}

function collect(nodes: readonly Node[], around: Around): Item[] {
  return nodes.flatMap((node): Item[] => {
    switch (node.kind) {
      case "run":
        return node.slots.flatMap((slot) =>
          (slot.kind === "field" ? [slot.field] : slot.fields).map((field) => ofField(field, around)),
        );
      case "field":
        return [ofField(node.field, around)];
      case "range":
        return [
          item("range", `within ${node.name}`, node.name, node.line, around, {
            expression: expressionText(node.length),
          }),
          ...collect(node.body, inside(around, WITHIN)),
        ];
      case "if": {
        const condition = expressionText(node.condition);
        return [
          ...collect(node.then, { ...inside(around, `if (${condition})`), conditional: true }),
          ...collect(node.else, { ...inside(around, `if not (${condition})`), conditional: true }),
        ];
      }
      case "optional": {
        // Counted from the front: what is added comes behind.
        const ordinal = nodes.filter(({ kind }) => kind === "optional").indexOf(node) + 1;
        return collect(node.body, { ...inside(around, `optional part ${ordinal}`), optional: true });
      }
      case "switch":
        return ofSwitch(node, around);
      case "where":
        return [ofWhere(node, around)];
    }
  });
}

function ofWhere({ field, text, line, condition }: Node & { kind: "where" }, around: Around): Item {
  const facets = { expression: expressionText(condition) };
  return {
    ...item("where", `where ${field?.name ?? ""} ${text}`, text, line, around, facets),
    bound: field?.name,
  };
}

function ofSwitch(node: Node & { kind: "switch" }, around: Around): Item[] {
  const { name } = node;
  const other = node.default;
  const refuses = other.kind !== "keep";
  const treatment = other.kind === "skip" ? `skip if (${expressionText(other.condition)})` : other.kind;
  const facets = { expression: expressionText(node.on), default: treatment };
  const choice = { ...item("switch", `switch ${name}`, name, node.line, around, facets), refuses };
  const arms = node.cases.map((each): Item => {
    const labels = each.labels
      .map(({ from, to }) => (from === to ? `${from}` : `${from} .. ${to}`))
      .join(", ");
    const field = each.arm?.field;
    const base = field === undefined ? NO_FACETS : facetsOf(field, around);
    const made = item("arm", `case ${name}.${each.name}`, each.name, each.line, around, { ...base, labels });
    return { ...made, field, choice: name };
  });
  if (other.kind === "refuse") return [choice, ...arms];
  const { field } = other.arm;
  const made = item("arm", `default ${name}`, field.name, field.line, around, {
    ...facetsOf(field, around),
    labels: "default",
  });
  return [choice, ...arms, { ...made, field, choice: name }];
}

function ofField(field: Field, around: Around): Item {
  const made = item("field", field.name, field.name, field.line, around, facetsOf(field, around));
  return { ...made, field, reserved: field.role.kind === "reserved" };
}

function facetsOf(field: Field, { guard }: Around): Item["facets"] {
  const { type, role } = field;
  return {
    ...NO_FACETS,
    type: baseText(type),
    meaning: meaningOf(field)?.name ?? "",
    count: countText(type),
    constant: role.kind === "constant" ? String(role.value) : "",
    guard,
  };
}

export function meaningOf(field: Field): Enum | Flags | undefined {
  return meaningIn(innermost(field.type));
}

function item(
  kind: Item["kind"],
  key: string,
  name: string,
  line: number,
  { guard, optional, conditional }: Around,
  facets: Partial<Item["facets"]>,
): Item {
  return {
    kind,
    key,
    name,
    line,
    field: undefined,
    reserved: false,
    optional,
    conditional,
    bound: undefined,
    choice: undefined,
    refuses: false,
    facets: { ...NO_FACETS, guard, ...facets },
  };
}

function inside(around: Around, guard: string): Around {
  return { ...around, guard: around.guard === "" ? guard : `${around.guard}, ${guard}` };
}
