/** The names that the fields of a struct have as properties of a decoded value, the same in every target that decodes. */
import type { Field, Struct, SwitchNode } from "../schema/ir.js";
import { type Member, membersOf, valueMembersOf } from "./members.js";
import { camelCase, PROTOTYPE_NAMES, Scope } from "./names.js";

export type Properties = ReadonlyMap<Field | SwitchNode, string>;

/** Those of what a decoded value has. */
export function propertiesOf(struct: Struct): Properties {
  return named(valueMembersOf(struct.nodes), new Map());
}

/**
 * The same, and names for the fields that are no part of a value: other libraries keep a count or a constant where
 * everything else is. They come last, so that none takes the name of a value's property.
 */
export function allPropertiesOf(struct: Struct): Properties {
  return named(membersOf(struct.nodes), propertiesOf(struct));
}

function named(members: readonly Member[], before: Properties): Properties {
  const names = new Map(before);
  const scope = new Scope(PROTOTYPE_NAMES, new Set(before.values()));
  for (const member of members) {
    const subject = member.kind === "field" ? member.field : member.node;
    if (!names.has(subject)) names.set(subject, scope.claim(camelCase(subject.name)));
  }
  return names;
}
