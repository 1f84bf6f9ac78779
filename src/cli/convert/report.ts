/** What a conversion has done, for people and for programs: what is lost is what they came for. */

import type { Assumption, Loss } from "../../device/index.js";
import { printable } from "../../inspect/index.js";

export interface ConversionReport {
  /** What was read, and what it is. */
  readonly from: string;
  /** What was written, and what it is. */
  readonly to: string;
  /** The device in one line. */
  readonly device: string;
  readonly losses: readonly Loss[];
  readonly assumed: readonly Assumption[];
  readonly notes: readonly string[];
}

/** Values are shown up to here; JSON has all of them. */
const MAX_VALUE = 60;
/** Values with one reason, likewise. */
const MAX_SAME = 64;

export function lostOf({ losses }: Pick<ConversionReport, "losses">): readonly Loss[] {
  return losses.filter(({ kind }) => kind === "lost");
}

export function reportText(report: ConversionReport): string {
  const { from, to, device, losses, assumed, notes } = report;
  const lost = lostOf(report);
  const elsewhere = losses.filter(({ kind }) => kind === "elsewhere");
  const lines = [
    `from     ${printable(from)}`,
    `to       ${printable(to)}`,
    `device   ${printable(device)}`,
    ...notes.map((note) => `note     ${printable(note)}`),
    ...group(`lost: ${lost.length}`, lost),
    ...group(`not part of this format, for the destination to have: ${elsewhere.length}`, elsewhere),
    ...group(`assumed: ${assumed.length}`, assumed),
    "",
    lost.length === 0
      ? "nothing is lost"
      : `${lost.length} ${lost.length === 1 ? "value is" : "values are"} lost`,
  ];
  return `${lines.join("\n")}\n`;
}

export function reportJson({ from, to, device, losses, assumed, notes }: ConversionReport): string {
  const of = (wanted: Loss["kind"]) =>
    losses.filter(({ kind }) => kind === wanted).map(({ path, value, reason }) => ({ path, value, reason }));
  const json = { from, to, device, notes, lost: of("lost"), elsewhere: of("elsewhere"), assumed };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}

/** What has one reason stands together: a device has many virtqueues. */
function group(
  heading: string,
  items: readonly { readonly path: string; readonly value?: string | undefined; readonly reason: string }[],
): string[] {
  if (items.length === 0) return [];
  const byReason = new Map<string, (typeof items)[number][]>();
  for (const item of items) {
    const same = byReason.get(item.reason);
    if (same === undefined) byReason.set(item.reason, [item]);
    else same.push(item);
  }
  const lines = ["", heading];
  for (const [reason, same] of byReason) {
    const shown = same.slice(0, MAX_SAME);
    const width = Math.max(...shown.map(({ path }) => path.length));
    for (const { path, value } of shown)
      lines.push(`  ${printable(path).padEnd(width)}  ${shortened(value)}`.trimEnd());
    if (same.length > shown.length) lines.push(`  and ${same.length - shown.length} more`);
    lines.push(`      ${reason}`);
  }
  return lines;
}

function shortened(value: string | undefined): string {
  const text = printable(value ?? "");
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}
