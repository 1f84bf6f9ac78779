/** Members of the class of a view: what they are about, and what all of them may say. */
import type { Field } from "../../../schema/ir.js";
import { SCHEMA_FILE, type Scope } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import type { StructContext } from "../context.js";
import { determiningFields } from "../determining.js";
import { docLines, placeText } from "../docs.js";
import { literal } from "../expressions.js";
import { place } from "../integers.js";
import type { Place, ViewPlaces } from "./places.js";

/** What a class member is about: a field, or an arm of a switch with the name that it has there. */
export interface Member {
  readonly field: Field;
  readonly name: string;
  readonly place: Place;
}

/** The class that is being printed. */
export interface ViewBody {
  readonly out: Printer;
  readonly context: StructContext;
  readonly places: ViewPlaces;
  /** The names of its members. */
  readonly names: Scope;
}

/** The index behind the last byte. */
export function endOf({ field, place: at }: Member): Part {
  return at.end ?? place(at.base, at.offset + field.size.min);
}

/** A part that can stand behind a minus. */
export function grouped(part: Part): Part {
  return typeof part === "string" ? part : ["(", part, ")"];
}

export function throwError(why: string, field: Field, at: Part, detail?: string): Part {
  const more = detail === undefined ? "" : `, ${detail}`;
  return code`throw this.$error(${JSON.stringify(why)}, ${JSON.stringify(field.name)}, ${at}, ${SCHEMA_FILE}, ${field.line}${more});`;
}

export function docOf(member: Member): string[] {
  const { field, place: at } = member;
  const lines = [placeText(field), ...docLines(field.doc)];
  if (field.role.kind === "reserved") lines.push("Reserved: zero as far as the schema knows.");
  if (at.chosenBy !== undefined) lines.push("Undefined when another case is chosen.");
  else if (field.conditional) lines.push("Undefined where the condition of the schema does not hold.");
  const why = readOnly(field);
  if (why !== undefined) lines.push(why);
  return lines;
}

/** Why there is no setter, if there is a reason. */
export function readOnly(field: Field): string | undefined {
  const { role, type } = field;
  if (role.kind === "constant") return `Read only: always ${literal(role.value, "number", 16)}.`;
  if (role.kind === "derived") {
    const of = role.of.kind === "range" ? role.of.range.name : role.of.field.name;
    return `Read only: it says how much there is of \`${of}\`.`;
  }
  if ((type.kind === "int" || type.kind === "bits") && determiningFields(field.struct.module).has(field)) {
    return "Read only: other fields lie where they do because of its value.";
  }
  return undefined;
}
