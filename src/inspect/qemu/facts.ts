/** What the summary says of the stream as a whole: its machine, what both sides must agree on, its commands. */
import type { ConfigurationEvent } from "../../streams/qemu/events.js";
import type { Fact } from "../report.js";
import { commandName, uuidText } from "./names.js";

export interface StreamTraits {
  readonly configuration: ConfigurationEvent | undefined;
  /** The stream goes on after a break, and what both sides agree on stands in the one before it. */
  readonly isResumed: boolean;
  readonly pageSize: number | undefined;
  /** How often each command came. */
  readonly commands: ReadonlyMap<number, number>;
  readonly sections: number;
  /** The stream whose description was used. */
  readonly borrowed: string | undefined;
}

export function streamFacts({
  configuration,
  isResumed,
  pageSize,
  commands,
  sections,
  borrowed,
}: StreamTraits): Fact[] {
  const facts: Fact[] = [];
  if (configuration !== undefined) {
    facts.push({ key: "machine", label: "machine", value: configuration.machine });
  }
  if (pageSize !== undefined) facts.push({ key: "page_size", label: "page size", value: pageSize });
  if (!isResumed) {
    facts.push({
      key: "capabilities",
      label: "capabilities",
      value: configuration?.capabilities ?? [],
      text: configuration?.capabilities.join(", ") || "none that both sides must agree on",
    });
  }
  if (configuration?.uuid !== undefined) {
    facts.push({ key: "uuid", label: "uuid", value: uuidText(configuration.uuid) });
  }
  if (commands.size > 0) {
    const names = [...commands].map(([cmd, count]) => `${commandName(cmd)}${count > 1 ? ` ×${count}` : ""}`);
    facts.push({ key: "commands", label: "commands", value: names, text: names.join(", ") });
  }
  if (borrowed !== undefined) facts.push({ key: "schema_from", label: "described by", value: borrowed });
  facts.push({ key: "sections", label: "sections", value: sections });
  return facts;
}
