/** Comparisons as text for people and as JSON for programs. */
import type { Change, Place } from "./changes/change.js";
import type { Comparison, Finding, Verdict } from "./compare.js";
import { RULES } from "./rules.js";
import type { Witness } from "./witness.js";

export function textOf({ profile, compatible, findings }: Comparison): string {
  const parts = findings.map(findingText);
  const summary = compatible ? "compatible" : "not compatible";
  const counted = findings.length === 1 ? "1 change" : `${findings.length} changes`;
  return [...parts, `${counted}, ${summary} (profile ${profile.name})`, ""].join("\n");
}

function findingText({ rule, change, oldReaders, oldData, forbidden }: Finding): string {
  const lines = [
    `${placeText(change)}: ${change.module} ${change.declaration}`,
    `  ${rule} ${change.detail}`,
    `    ${RULES[rule].about}`,
  ];
  if (forbidden !== undefined) lines.push(`    Forbidden: ${forbidden}`);
  lines.push(
    ...verdictText("old readers, new data", oldReaders),
    ...verdictText("new readers, old data", oldData),
  );
  return `${lines.join("\n")}\n`;
}

function placeText({ old, new: now }: Change): string {
  const text = ({ file, line }: Place): string => `${file}:${line}`;
  if (old === undefined || now === undefined)
    return [old, now]
      .flatMap((place) => place ?? [])
      .map(text)
      .join("");
  return text(old) === text(now) ? text(now) : `${text(old)} → ${text(now)}`;
}

function verdictText(who: string, verdict: Verdict): string[] {
  const title = `    ${who}: ${verdict.kind}`;
  switch (verdict.kind) {
    case "compatible":
      return [title];
    case "unproven":
      return [`${title}: ${verdict.why}`];
    case "breaks": {
      const { struct, args, bytes, disagreement } = verdict.witness;
      const passed = [...args].map(([name, value]) => `${name} = ${value}`).join(", ");
      return [
        title,
        `      ${struct.name}${passed === "" ? "" : ` (${passed})`} ${hexOf(bytes, " ") || "no bytes"}`,
        `      ${disagreement.text}`,
      ];
    }
  }
}

export function jsonOf({ profile, compatible, findings }: Comparison): string {
  const changes = findings.map(({ rule, change, oldReaders, oldData, forbidden }) => ({
    rule,
    about: RULES[rule].about,
    module: change.module,
    declaration: change.declaration,
    detail: change.detail,
    old: change.old,
    new: change.new,
    forbidden,
    oldReaders: verdictJson(oldReaders),
    oldData: verdictJson(oldData),
  }));
  return `${JSON.stringify({ profile: profile.name, compatible, changes }, undefined, 2)}\n`;
}

function verdictJson(verdict: Verdict): object {
  if (verdict.kind !== "breaks") return verdict;
  return { kind: verdict.kind, witness: witnessJson(verdict.witness) };
}

/** Arguments are text: JSON's numbers are not exact at 64 bits. */
function witnessJson({ struct, args, bytes, disagreement }: Witness): object {
  const { path, offset, text } = disagreement;
  return {
    struct: struct.name,
    arguments: Object.fromEntries([...args].map(([name, value]) => [name, String(value)])),
    bytes: hexOf(bytes, ""),
    path,
    offset,
    difference: text,
  };
}

function hexOf(bytes: Uint8Array, separator: string): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(separator);
}
