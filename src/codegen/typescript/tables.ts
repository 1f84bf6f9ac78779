/** Command and message tables: what goes with each number, as data. */
import type { Descriptors, Need, Row, Table } from "../../schema/ir.js";
import { intervalOf } from "../../schema/ranges.js";
import { switchesOf } from "../members.js";
import { code, type Part, type Printer } from "../printer.js";
import type { ModuleContext } from "./context.js";
import { docLines } from "./docs.js";
import { type Environment, expression, literal } from "./expressions.js";
import { nestedProperty } from "./nested.js";

export function printTable(out: Printer, table: Table, context: ModuleContext): void {
  const { rep } = table.numbers.int;
  const what = table.kind === "commands" ? "opcode" : "message id";
  const type = context.runtimeType(table.kind === "commands" ? "CommandRow" : "MessageRow");
  out.doc([`What goes with each ${what} of \`${table.name}\`.`, ...docLines(table.doc)]);
  out.line(`export const ${context.names.of(table, "table")}: readonly `, type, "[] = [");
  out.indented(() => {
    for (const row of table.rows) printRow(out, row, table.kind, rep);
  });
  out.line("];");
  if (table.kind === "messages") printDescriptors(out, table, context);
}

/** The number of descriptors may be read off the message: a function says it exactly. */
function printDescriptors(out: Printer, table: Table, context: ModuleContext): void {
  const payload = context.struct(table.payload);
  const [node] = switchesOf(table.payload);
  const rows = table.rows.filter((row) => row.fds !== undefined);
  if (node === undefined || rows.length === 0) return;
  out.blank();
  out.doc([`How many file descriptors come with a message of \`${table.name}\`, at least and at most.`]);
  const head = code`export function ${context.names.of(table, "descriptors")}(payload: ${context.type(table.payload)})`;
  out.block([head, ": readonly [least: number, most: number]"], () => {
    const property = `payload.${payload.property(node)}`;
    const env: Environment = {
      field: (path) => nestedProperty(payload, `${property}.value`, path),
      param: ({ name }) => name,
      remaining: () => "0",
    };
    out.block(`switch (${property}.case)`, () => {
      for (const { number, fds } of rows) {
        const chosen = node.cases.find(({ labels }) => labels[0]?.from === number);
        if (chosen === undefined || fds === undefined) continue;
        out.line(`case ${JSON.stringify(payload.caseName(chosen))}:`);
        out.indented(() =>
          out.line("return [", expression(fds.from, env), ", ", expression(fds.to, env), "];"),
        );
      }
      out.line("default:");
      out.indented(() => out.line("return [0, 0];"));
    });
  });
}

function printRow(out: Printer, row: Row, kind: Table["kind"], rep: "number" | "bigint"): void {
  const properties: Part[] = [
    `number: ${literal(row.number, rep)}`,
    `name: ${JSON.stringify(row.name)}`,
    `payload: ${nameOf(row.payload)}`,
  ];
  if (kind === "commands") properties.push(`output: ${nameOf(row.output)}`);
  properties.push(`reply: ${nameOf(row.reply)}`);
  const needs = `needs: ${flagNames(row.needs)}`;
  if (kind === "commands") {
    properties.push(`group: ${row.group === undefined ? "undefined" : JSON.stringify(row.group)}`, needs);
  } else {
    properties.push(
      `replies: ${row.replies}`,
      `acknowledged: ${row.acknowledged}`,
      `repliesWith: ${flagNames(row.repliesWith)}`,
      `fds: ${boundsOf(row.fds)}`,
      `replyFds: ${boundsOf(row.replyFds)}`,
      needs,
    );
  }
  out.doc(docLines(row.doc));
  out.list("{", properties, "},", " ");
}

function flagNames(needs: readonly Need[]): string {
  return `[${needs.map(({ flag }) => JSON.stringify(flag.name)).join(", ")}]`;
}

function nameOf(struct: Row["payload"]): string {
  return struct === undefined ? "undefined" : JSON.stringify(struct.name);
}

/** The least and the most: how many exactly may depend on the payload. */
function boundsOf(fds: Descriptors | undefined): string {
  if (fds === undefined) return "undefined";
  return `[${intervalOf(fds.from).min}, ${intervalOf(fds.to).max}]`;
}
