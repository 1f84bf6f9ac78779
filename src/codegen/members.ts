/** Walks over the nodes of a struct that more than one printer needs. */
import type { Case, Field, Node, RunNode, Struct, SwitchNode } from "../schema/ir.js";
import { allNodes } from "../schema/structure.js";

/** A property of the decoded value: a field, or the union of a switch. */
export type Member =
  | { readonly kind: "field"; readonly field: Field }
  | { readonly kind: "switch"; readonly node: SwitchNode };

/** Every field and switch in the order of the bytes, however deep in ranges and conditions. Not the arms of switches. */
export function membersOf(nodes: readonly Node[]): Member[] {
  const members: Member[] = [];
  for (const node of nodes) {
    switch (node.kind) {
      case "run":
        for (const slot of node.slots) {
          if (slot.kind === "field") members.push({ kind: "field", field: slot.field });
          else for (const field of slot.fields) members.push({ kind: "field", field });
        }
        break;
      case "field":
        members.push({ kind: "field", field: node.field });
        break;
      case "range":
      case "optional":
        members.push(...membersOf(node.body));
        break;
      case "if":
        members.push(...membersOf(node.then), ...membersOf(node.else));
        break;
      case "switch":
        members.push({ kind: "switch", node });
        break;
      case "where":
        break;
    }
  }
  return members;
}

/** Those of the members that a decoded value has: not the constants, and not what is derived from others. */
export function valueMembersOf(nodes: readonly Node[]): Member[] {
  return membersOf(nodes).filter((member) => member.kind === "switch" || isKept(member.field));
}

/** The field is a property of the decoded value. */
export function isKept(field: Field): boolean {
  return field.role.kind === "value" || field.role.kind === "reserved";
}

export function switchesOf(struct: Struct): SwitchNode[] {
  return membersOf(struct.nodes).flatMap((member) => (member.kind === "switch" ? [member.node] : []));
}

/** Every arm that a switch may choose, with the name of its case; the default's last. */
export function armsOf(
  node: SwitchNode,
): { readonly name: string; readonly field: Field | undefined; readonly from: Case | undefined }[] {
  const arms: { name: string; field: Field | undefined; from: Case | undefined }[] = node.cases.map(
    (from) => ({
      name: from.name,
      field: from.arm?.field,
      from,
    }),
  );
  if (node.default.kind !== "refuse") {
    const { field } = node.default.arm;
    arms.push({ name: field.name, field, from: undefined });
  }
  return arms;
}

/** Every run, however deep, arms of switches included. */
export function runsOf(nodes: readonly Node[]): RunNode[] {
  return allNodes(nodes).filter((node) => node.kind === "run");
}

/**
 * What tells that an optional body is there: one of these is given. That is its first value field that no further
 * condition decides about, or when all such fields are reserved, the first of those; where conditions decide about all
 * that is in it, any of them will do.
 */
export function presenceOf(body: readonly Node[]): Member[] {
  const isValue = (member: Member): boolean => member.kind === "switch" || member.field.role.kind === "value";
  const certain = valueMembersOf(unconditional(body));
  const presence = certain.find(isValue) ?? certain[0];
  return presence === undefined ? valueMembersOf(body) : [presence];
}

/** Without what stands under a condition of its own. */
function unconditional(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node): Node[] => {
    if (node.kind === "if" || node.kind === "optional") return [];
    return node.kind === "range" ? unconditional(node.body) : [node];
  });
}

/** Reserved fields that say whether an optional body is there, so that not even zeros may be left out. */
export function presenceFieldsOf(nodes: readonly Node[]): Field[] {
  return allNodes(nodes).flatMap((node) => {
    const presence = node.kind === "optional" ? presenceOf(node.body) : [];
    return presence.flatMap((member) =>
      member.kind === "field" && member.field.role.kind === "reserved" ? [member.field] : [],
    );
  });
}
