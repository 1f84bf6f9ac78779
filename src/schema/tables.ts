/**
 * Command and message tables. A table is a shorthand: its numbers are an enum, and each of its columns is a struct that
 * switches on the number. Both are made here as syntax and checked like any other, so a table can do nothing that a
 * schema could not say at length.
 */
import { checkEnum, checkStruct } from "./declarations.js";
import type { Draft } from "./draft.js";
import { checkConstant, checkLength, type Surroundings } from "./expressions.js";
import { NO_FACTS } from "./facts.js";
import type { Descriptors, Enum, Flags, Interval, Need, Row, Struct, Table } from "./ir.js";
import { rangeOf, rawRange } from "./scalars.js";
import { docOf, type Scope } from "./scope.js";
import type {
  AttributeSyntax,
  CaseSyntax,
  DocSyntax,
  ExprSyntax,
  FieldSyntax,
  Name,
  PayloadSyntax,
  RowSyntax,
  Span,
  StructSyntax,
  TableSyntax,
} from "./syntax.js";

const NO_DOC: DocSyntax = { text: "", notes: [] };

interface Column {
  readonly suffix: string;
  readonly of: (row: RowSyntax) => PayloadSyntax | undefined;
  readonly says: string;
}

const COLUMNS: Record<TableSyntax["kind"], { number: string; columns: readonly Column[] }> = {
  commands: {
    number: "opcode",
    columns: [
      { suffix: "data", of: (row) => row.payload, says: "command-specific data" },
      { suffix: "output", of: outputOf, says: "command-specific output" },
      { suffix: "result", of: (row) => row.reply, says: "command-specific result" },
    ],
  },
  messages: {
    number: "id",
    columns: [
      { suffix: "payload", of: (row) => row.payload, says: "payload" },
      { suffix: "reply", of: (row) => row.reply, says: "payload of the reply" },
    ],
  },
};

/** Everything that the table declares, the table itself last. Undefined after a diagnostic. */
export function checkTable(
  scope: Scope,
  syntax: TableSyntax,
): readonly [...(Enum | Struct)[], Table] | undefined {
  const numbers = checkEnum(scope, {
    kind: "enum",
    name: syntax.name,
    closed: false,
    scalar: syntax.scalar,
    members: syntax.rows.map((row) => ({ name: row.name, value: row.number, to: undefined, doc: row.doc })),
    doc: syntax.doc,
  });
  // Numbers that clash have been reported; the columns would only report them again.
  if (!numbers || numbers.members.length !== syntax.rows.length) return undefined;
  // Before the columns, so that their cases carry the names of the rows. The name of a table stands for its numbers.
  scope.declare(
    numbers,
    syntax.name.span,
    syntax.rows.map((row) => row.name),
  );
  const named = new Map<PayloadSyntax, Struct | undefined>();
  const declared: Struct[] = [];
  const { number, columns } = COLUMNS[syntax.kind];
  for (const { suffix, of } of columns) {
    for (const row of syntax.rows) {
      const payload = of(row);
      if (!payload || payload.kind === "none") continue;
      const struct =
        payload.kind === "type"
          ? lookupStruct(scope, payload.type.name)
          : inline(scope, row, suffix, payload);
      named.set(payload, struct);
      if (struct && payload.kind === "fields") {
        declared.push(struct);
        scope.declare(struct, row.name.span);
      }
    }
  }
  const switches = columns.map((column) => {
    const struct = checkStruct(scope, columnSyntax(syntax, number, column));
    if (struct) scope.declare(struct, syntax.name.span);
    return struct;
  });
  const byName = new Map(columns.map((column, i) => [column.suffix, switches[i]]));
  const payload = byName.get("data") ?? byName.get("payload");
  const reply = byName.get("result") ?? byName.get("reply");
  if (!payload || !reply) return undefined;
  const rows = syntax.rows.flatMap((row) =>
    checkRow(scope, syntax, row, (one) => (one ? named.get(one) : undefined)),
  );
  const table: Table = {
    kind: syntax.kind,
    name: syntax.name.text,
    module: scope.module,
    doc: docOf(syntax.doc),
    line: scope.line(syntax.name.span),
    numbers,
    rows,
    payload,
    output: byName.get("output"),
    reply,
  };
  const made = [...declared, ...switches.filter((struct) => struct !== undefined)];
  for (const struct of made) (struct as Draft<Struct>).table = table;
  return [numbers, ...made, table];
}

/** What a table declares besides its own name: its rows, the structs of its columns, and those declared on the spot. */
export function tableNames(syntax: TableSyntax): string[] {
  const { columns } = COLUMNS[syntax.kind];
  return columns.flatMap(({ suffix, of }) => [
    `${syntax.name.text}_${suffix}`,
    ...syntax.rows.flatMap((row) => [
      row.name.text,
      ...(of(row)?.kind === "fields" ? [inlineName(row, suffix)] : []),
    ]),
  ]);
}

function outputOf(row: RowSyntax): PayloadSyntax | undefined {
  return row.attributes.find((attribute) => attribute.kind === "output")?.payload;
}

function lookupStruct(scope: Scope, name: Name): Struct | undefined {
  const meaning = scope.lookup(name.text);
  if (meaning?.kind === "struct") return meaning;
  scope.unknown(name, "a struct");
  return undefined;
}

function inlineName(row: RowSyntax, suffix: string): string {
  return `${row.name.text.toLowerCase()}_${suffix}`;
}

function inline(
  scope: Scope,
  row: RowSyntax,
  suffix: string,
  payload: PayloadSyntax & { kind: "fields" },
): Struct | undefined {
  return checkStruct(scope, {
    kind: "struct",
    name: { text: inlineName(row, suffix), span: row.name.span },
    stream: false,
    params: [],
    order: undefined,
    members: payload.fields,
    doc: { text: `The ${suffix} of \`${row.name.text}\`.`, notes: [] },
  });
}

/** `struct NAME_data (le16 opcode) { switch (opcode) { case …: … default keep: u8 raw[..]; } }` */
function columnSyntax(table: TableSyntax, number: string, { suffix, of, says }: Column): StructSyntax {
  const span = table.name.span;
  const name = (text: string): Name => ({ text, span });
  const cases = table.rows.map((row): CaseSyntax => {
    const payload = of(row);
    return {
      labels: [{ from: { kind: "name", path: [row.name], span: row.name.span }, to: undefined }],
      arm: payload && armOf(row, suffix, payload),
      span: row.span,
    };
  });
  const raw: FieldSyntax = bytes(name("raw"), span);
  return {
    kind: "struct",
    name: name(`${table.name.text}_${suffix}`),
    stream: false,
    params: [{ type: table.scalar, name: name(number) }, ...table.params],
    order: undefined,
    members: [
      {
        kind: "switch",
        on: { kind: "name", path: [name(number)], span },
        name: name("body"),
        cases,
        default: { kind: "keep", arm: raw, span },
        doc: NO_DOC,
        span,
      },
    ],
    doc: {
      text: `The ${says} by ${number}, for every row of \`${table.name.text}\`.`,
      notes: table.doc.notes,
    },
  };
}

function armOf(row: RowSyntax, suffix: string, payload: PayloadSyntax): FieldSyntax | undefined {
  if (payload.kind === "none") return undefined;
  const named = { text: row.name.text.toLowerCase(), span: row.name.span };
  const type =
    payload.kind === "type"
      ? payload.type
      : { name: { text: inlineName(row, suffix), span: payload.span }, args: [] };
  return { ...bytes(named, payload.span), type, dims: [], doc: row.doc };
}

function bytes(name: Name, span: Span): FieldSyntax {
  return {
    kind: "field",
    reserved: false,
    type: { name: { text: "u8", span }, args: [] },
    order: undefined,
    name,
    dims: [{ kind: "rest", span }],
    as: [],
    value: undefined,
    where: undefined,
    doc: NO_DOC,
    span,
  };
}

function checkRow(
  scope: Scope,
  table: TableSyntax,
  row: RowSyntax,
  structOf: (payload: PayloadSyntax | undefined) => Struct | undefined,
): Row[] {
  const number = checkConstant(scope, row.number);
  if (!number) return [];
  const payload = structOf(row.payload);
  let acknowledged = false;
  let fds: Descriptors | undefined;
  let replyFds: Descriptors | undefined;
  let repliesWith: readonly Need[] = [];
  let needs: readonly Need[] = [];
  let group: string | undefined;
  const given = new Set<string>();
  for (const attribute of row.attributes) {
    const { text, span } = attribute.name;
    if (given.has(text)) scope.error("duplicate-attribute", span, `\`${text}\` is given twice`);
    given.add(text);
    if (!BELONGS[text]?.includes(table.kind)) {
      scope.error("unknown-attribute", span, `\`${text}\` means nothing in a table of ${table.kind}`);
      continue;
    }
    if (attribute.kind === "flag") acknowledged = true;
    else if (attribute.kind === "fds") fds = descriptors(scope, attribute, payload);
    else if (attribute.kind === "reply_fds") replyFds = descriptors(scope, attribute, structOf(row.reply));
    else if (attribute.kind === "always") repliesWith = alwaysOf(scope, attribute, row);
    else if (attribute.kind === "needs") needs = needsOf(scope, attribute.flags);
    else if (attribute.kind === "group") group = attribute.argument.text;
  }
  const output = structOf(outputOf(row));
  return [
    {
      number: number.value,
      name: row.name.text,
      doc: docOf(row.doc),
      line: scope.line(row.name.span),
      payload,
      output,
      reply: structOf(row.reply),
      replies: row.reply !== undefined && !acknowledged,
      acknowledged,
      repliesWith,
      fds,
      replyFds,
      needs,
      group,
    },
  ];
}

/** Which attributes may stand in which kind of table. */
const BELONGS: Readonly<Record<string, readonly TableSyntax["kind"][]>> = {
  output: ["commands"],
  group: ["commands"],
  needs: ["commands", "messages"],
  ack: ["messages"],
  always: ["messages"],
  fds: ["messages"],
  reply_fds: ["messages"],
};

function descriptors(
  scope: Scope,
  attribute: AttributeSyntax & { kind: "fds" | "reply_fds" },
  payload: Struct | undefined,
): Descriptors | undefined {
  const around = payloadFields(payload);
  const count = (syntax: ExprSyntax) =>
    checkLength(scope, around, withoutPrefix(syntax), "the number of descriptors");
  const from = count(attribute.from);
  const to = attribute.to ? count(attribute.to) : from;
  if (from?.kind === "int" && to?.kind === "int" && to.value < from.value) {
    scope.error("empty-range", attribute.name.span, "this range ends before it begins");
    return undefined;
  }
  return from && to && { from, to };
}

/** Descriptor counts are read off the message, where derived fields are as visible as any. */
function payloadFields(payload: Struct | undefined): Surroundings {
  return {
    field: (name) => payload?.fields.find((field) => field.name === name),
    param: () => undefined,
    rangeOf: (field): Interval =>
      field.type.kind === "bits"
        ? rawRange(field.type.width, false)
        : field.type.kind === "int"
          ? rangeOf(field.type.int)
          : { min: 0n, max: 0n },
    remaining: false,
    facts: NO_FACTS,
    peek: undefined,
  };
}

/** `payload.nregions` → `nregions`: in a table every field is one of the payload. */
function withoutPrefix(syntax: ExprSyntax): ExprSyntax {
  switch (syntax.kind) {
    case "name":
      return syntax.path.length > 1 && syntax.path[0]?.text === "payload"
        ? { ...syntax, path: syntax.path.slice(1) }
        : syntax;
    case "unary":
      return { ...syntax, arg: withoutPrefix(syntax.arg) };
    case "binary":
      return { ...syntax, left: withoutPrefix(syntax.left), right: withoutPrefix(syntax.right) };
    case "conditional":
      return {
        ...syntax,
        test: withoutPrefix(syntax.test),
        then: withoutPrefix(syntax.then),
        else: withoutPrefix(syntax.else),
      };
    default:
      return syntax;
  }
}

/** Without `ack` a reply comes in any case, or never. */
function alwaysOf(
  scope: Scope,
  { name, flags }: AttributeSyntax & { kind: "always" | "needs" },
  row: RowSyntax,
): Need[] {
  if (!row.attributes.some((attribute) => attribute.kind === "flag")) {
    scope.error("unknown-attribute", name.span, "`always` means nothing without `ack`");
    return [];
  }
  return needsOf(scope, flags);
}

function needsOf(scope: Scope, names: readonly Name[]): Need[] {
  const given = new Set<string>();
  return names.flatMap((name): Need[] => {
    if (given.has(name.text)) {
      scope.error("duplicate-attribute", name.span, `\`${name.text}\` is named twice`);
      return [];
    }
    given.add(name.text);
    const need = needOf(scope, name);
    return need ? [need] : [];
  });
}

function needOf(scope: Scope, name: Name): Need | undefined {
  const meaning = scope.lookup(name.text);
  if (meaning?.kind === "member" && meaning.of.kind === "flags") {
    const flags: Flags = meaning.of;
    const flag = flags.members.find((member) => member.name === name.text);
    return flag && { flags, flag };
  }
  scope.unknown(name, "a flag");
  return undefined;
}
