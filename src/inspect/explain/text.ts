/** Writes explanations for people. */
import { hex, printable } from "../report.js";
import { wrapped } from "../wrapped.js";
import type { Explanation } from "./explanation.js";
import type { Place } from "./message.js";

/** A line of prose is no longer; what stands in a log or in a path is never broken. */
const WIDTH = 110;
const LABEL = 10;
const MAX_PLACES = 20;

/** Each failure once, however often the log has it. What only follows from another message is told in short. */
export function explanationsText(explanations: readonly Explanation[]): string {
  const hasReason = explanations.some(({ isFollowUp }) => !isFollowUp);
  const texts = explanations.map((one) => (hasReason && one.isFollowUp ? shortText(one) : fullText(one)));
  return [...new Set(texts)].join("\n");
}

function shortText({ text, meaning }: Explanation): string {
  return joined([printable(text), ...labelled("means", [meaning])]);
}

function fullText({ text, meaning, causes, remedy, places, source }: Explanation): string {
  const shown = places.slice(0, MAX_PLACES);
  const rest = places.length - shown.length;
  return joined([
    printable(text),
    ...labelled("means", [meaning]),
    ...labelled("cause", causes),
    ...labelled("remedy", [remedy]),
    ...rows("place", [...shown.map(placeText), ...(rest > 0 ? [`and ${rest} more`] : [])]),
    ...rows("source", [`${source.project}, ${source.file}, ${source.function}`]),
  ]);
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

function placeText({ capture, at, path, text }: Place): string {
  return printable(`${capture}:${hex(at)}: ${path === undefined ? "" : `${path}: `}${text}`);
}

function labelled(label: string, texts: readonly string[]): string[] {
  return rows(
    label,
    texts.flatMap((text) => wrapped(printable(text), WIDTH - LABEL)),
  );
}

/** The label stands in front of the first row only. */
function rows(label: string, texts: readonly string[]): string[] {
  return texts.map((text, i) => `  ${(i === 0 ? label : "").padEnd(LABEL - 2)}${text}`);
}
