/** What of a value is given. A part that some values lack must be there where the schema says so, and nowhere else. */
import type { Field, SwitchNode } from "../../../schema/ir.js";
import type { Member } from "../../members.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, join, type Part } from "../../printer.js";
import type { Body } from "../body.js";

export class Presence {
  private readonly body: Body;
  /** What an `if` around has found given. */
  private readonly found = new Set<Field | SwitchNode>();

  constructor(body: Body) {
    this.body = body;
  }

  /** What is printed from now on stands under a test that it is given. */
  find(member: Member): void {
    this.found.add(subjectOf(member));
  }

  anyGiven(members: readonly Member[]): Part {
    if (members.length === 0) return "false";
    return join(
      members.map((member) => this.isGiven(member)),
      " || ",
    );
  }

  isGiven(member: Member): Part {
    return `${this.body.context.local(subjectOf(member))} !== undefined`;
  }

  missingError(name: string, line: number): Part {
    return code`${this.body.context.module.runtime("missing")}(writer, ${JSON.stringify(name)}, ${SCHEMA_FILE}, ${line})`;
  }

  missing(subject: Field | SwitchNode, name: string, line: number): void {
    if (this.found.has(subject)) return;
    this.body.out.when(
      `${this.body.context.local(subject)} === undefined`,
      "throw ",
      this.missingError(name, line),
      ";",
    );
  }

  unexpected(member: Member): void {
    const { name, line } = subjectOf(member);
    const error = code`${this.body.context.module.runtime("unexpected")}(writer, ${JSON.stringify(name)}, ${SCHEMA_FILE}, ${line})`;
    this.body.out.when(this.isGiven(member), "throw ", error, ";");
  }
}

export function subjectOf(member: Member): Field | SwitchNode {
  return member.kind === "field" ? member.field : member.node;
}
