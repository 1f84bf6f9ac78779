/** Changes of what goes with the messages of a table. */
import type { Row, Table } from "../../schema/ir.js";
import { expressionText } from "../describe.js";
import type { Change } from "./change.js";

/** The bytes of rows show in the structs and the enum that the table makes; the rest of a message's contract does not. */
export function tableChanges(old: Table, now: Table): Change[] {
  return old.rows.flatMap((row): Change[] => {
    const other = now.rows.find(({ name }) => name === row.name);
    if (other === undefined) return [];
    const [was, is] = [contractText(row), contractText(other)];
    if (was === is) return [];
    return [
      {
        rule: "message-contract",
        module: old.module.name,
        declaration: old.name,
        members: [row.name],
        detail: `\`${row.name}\`: ${was} became ${is}`,
        old: { file: old.module.file, line: row.line },
        new: { file: now.module.file, line: other.line },
        subject: undefined,
      },
    ];
  });
}

function contractText({ replies, acknowledged, repliesWith, fds, replyFds, needs, group }: Row): string {
  // All of them count: in which order they are written says nothing.
  const flags = (name: string, each: Row["needs"]): string =>
    each.length === 0
      ? ""
      : `${name}(${each
          .map(({ flag }) => flag.name)
          .sort()
          .join(", ")})`;
  const count = (name: string, each: Row["fds"]): string =>
    each === undefined ? "" : `${name}(${expressionText(each.from)} .. ${expressionText(each.to)})`;
  const parts = [
    replies ? "reply" : "",
    acknowledged ? "ack" : "",
    flags("always", repliesWith),
    count("fds", fds),
    count("reply_fds", replyFds),
    flags("needs", needs),
    group === undefined ? "" : `group(${group})`,
  ];
  return parts.filter((part) => part !== "").join(" ") || "no reply, no descriptors";
}
