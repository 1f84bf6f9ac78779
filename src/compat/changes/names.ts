/** Changes of enums and flag sets. */
import type { Enum, EnumMember, Flags } from "../../schema/ir.js";
import type { RuleId } from "../rules.js";
import type { Change } from "./change.js";

interface Named {
  readonly name: string;
  readonly line: number;
  readonly text: string;
  readonly value: bigint;
}

export function enumChanges(old: Enum, now: Enum): Change[] {
  const member = ({ name, line, value, to }: EnumMember): Named => ({
    name,
    line,
    value,
    text: value === to ? `${value}` : `${value} .. ${to}`,
  });
  // A range says where values may come to be: taking one from it is what it is for.
  const single = ({ value, to }: EnumMember): boolean => value === to;
  const rules = {
    added: "enum-member-added",
    removed: "enum-member-removed",
    renamed: "enum-member-renamed",
    renumbered: "enum-member-renumbered",
  } as const;
  const changes = nameChanges(
    old,
    now,
    old.members.filter(single).map(member),
    now.members.filter(single).map(member),
    rules,
    old.closed,
  );
  if (old.closed !== now.closed) {
    const rule = now.closed ? "enum-closed" : "enum-opened";
    changes.push(ofNames(rule, old, now, [], `\`${now.name}\``, old.line, now.line));
  }
  return changes;
}

export function flagChanges(old: Flags, now: Flags): Change[] {
  const members = (flags: Flags): Named[] =>
    flags.members.map(({ name, line, mask }) => ({
      name,
      line,
      value: mask,
      text: `0x${mask.toString(16)}`,
    }));
  const rules = {
    added: "flag-added",
    removed: "flag-removed",
    renamed: "flag-renamed",
    renumbered: "flag-renumbered",
  } as const;
  return nameChanges(old, now, members(old), members(now), rules, false);
}

function nameChanges<T extends Enum | Flags>(
  old: T,
  now: T,
  before: readonly Named[],
  after: readonly Named[],
  rules: Readonly<Record<"added" | "removed" | "renamed" | "renumbered", RuleId>>,
  refuses: boolean,
): Change[] {
  const changes: Change[] = [];
  const add = (rule: RuleId, was: Named | undefined, is: Named | undefined, detail: string): void => {
    const names = [was, is].flatMap((each) => (each === undefined ? [] : [each.name]));
    const change = ofNames(rule, old, now, [...new Set(names)], detail, was?.line, is?.line);
    changes.push({ ...change, refuses, ...(is === undefined ? {} : { value: is.value }) });
  };
  const renamed = new Set<Named>();
  for (const was of before) {
    const same = after.find(({ name }) => name === was.name);
    if (same !== undefined) {
      if (same.value !== was.value)
        add(rules.renumbered, was, same, `\`${was.name}\`: ${was.text} became ${same.text}`);
      continue;
    }
    const other = after.find(
      ({ name, value }) => value === was.value && !before.some((each) => each.name === name),
    );
    if (other === undefined) {
      add(rules.removed, was, undefined, `\`${was.name}\` = ${was.text}`);
      continue;
    }
    renamed.add(other);
    add(rules.renamed, was, other, `\`${was.name}\` → \`${other.name}\``);
  }
  for (const is of after) {
    if (renamed.has(is) || before.some(({ name }) => name === is.name)) continue;
    add(rules.added, undefined, is, `\`${is.name}\` = ${is.text}`);
  }
  return changes;
}

function ofNames(
  rule: RuleId,
  old: Enum | Flags,
  now: Enum | Flags,
  members: readonly string[],
  detail: string,
  oldLine: number | undefined,
  newLine: number | undefined,
): Change {
  return {
    rule,
    module: old.module.name,
    declaration: old.name,
    members,
    detail,
    old: oldLine === undefined ? undefined : { file: old.module.file, line: oldLine },
    new: newLine === undefined ? undefined : { file: now.module.file, line: newLine },
    subject: { kind: "names", old, new: now },
  };
}
