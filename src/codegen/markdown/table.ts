/** Command and message tables: a row for each number, with what goes with it. */
import type { Descriptors, Row, Struct, Table } from "../../schema/ir.js";
import { expressionText } from "./expression.js";
import { linkTo, sectionOf } from "./links.js";
import { inlineFields, structCell } from "./struct.js";
import { code, meaningOf, tableWithoutEmpty } from "./text.js";

export function tableLines(table: Table): string[] {
  const number = code(table.numbers.scalar);
  return table.kind === "commands"
    ? [
        `The opcode is a ${number}. An unknown one keeps its bytes.`,
        "",
        ...tableWithoutEmpty(
          ["opcode", "command", "data", "output", "result", "group", "needs", "meaning"],
          table.rows.map((row) => commandCells(row, table)),
        ),
      ]
    : [
        `The id is a ${number}. An unknown one keeps its bytes.`,
        "",
        ...tableWithoutEmpty(
          [
            "id",
            "message",
            "payload",
            "descriptors",
            "reply",
            "descriptors of the reply",
            "needs",
            "meaning",
          ],
          table.rows.map((row) => messageCells(row, table)),
        ),
      ];
}

/** Made by the table, and said in full by its rows. */
export function isSaidByTable(struct: Struct): boolean {
  return struct.table !== undefined && (sectionOf(struct) !== struct || inlineFields(struct) !== undefined);
}

function commandCells(row: Row, table: Table): string[] {
  return [
    code(`0x${row.number.toString(16).padStart(2, "0")}`),
    code(row.name),
    contentCell(row.payload, table),
    contentCell(row.output, table),
    contentCell(row.reply, table),
    row.group === undefined ? "" : code(row.group),
    flagLinks(row.needs, table),
    meaningOf(row.doc),
  ];
}

function messageCells(row: Row, table: Table): string[] {
  return [
    code(String(row.number)),
    code(row.name),
    contentCell(row.payload, table),
    descriptorsCell(row.fds),
    replyCell(row, table),
    descriptorsCell(row.replyFds),
    flagLinks(row.needs, table),
    meaningOf(row.doc),
  ];
}

function contentCell(struct: Struct | undefined, table: Table): string {
  return struct === undefined ? "" : structCell(struct, table.module, struct.table === table);
}

function replyCell(row: Row, table: Table): string {
  const content = contentCell(row.reply, table);
  if (row.acknowledged) {
    const always = flagLinks(row.repliesWith, table);
    const sort = always === "" ? "acknowledgement" : `acknowledgement, always with ${always}`;
    return content === "" ? sort : `${sort}: ${content}`;
  }
  return row.replies && content === "" ? "empty" : content;
}

function flagLinks(needs: Row["needs"], table: Table): string {
  return needs.map(({ flags, flag }) => linkTo(flags, table.module, flag.name)).join(", ");
}

function descriptorsCell(fds: Descriptors | undefined): string {
  if (fds === undefined) return "";
  const [from, to] = [expressionText(fds.from), expressionText(fds.to)].map(code);
  return from === to ? `${from}` : `${from} … ${to}`;
}
