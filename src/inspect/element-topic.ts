/** What a field of a context, or a part, is about, where its type does not say it: which virtqueue, which register. */
import type { Node } from "./node.js";

/** Empty where there is nothing to add. */
export function topicOf(fields: readonly Node[]): string {
  const body = fields.find(({ children }) => children !== undefined)?.children ?? [];
  const selector = body.find(({ name }) => name === "selector");
  const [queue] = [...body, ...(selector?.children ?? [])].filter(
    ({ name }) => name === "vq_index" || name === "index",
  );
  if (queue !== undefined) return `virtqueue ${queue.value}`;
  // One register of many, or one command: what stands behind the selector is called after it.
  const isChoice = selector?.children !== undefined;
  const subject = isChoice ? body.find((node) => node !== selector && node.role === undefined) : undefined;
  const named = subject ?? body.find(({ name }) => name === "driver_feature_select");
  if (named === undefined) return "";
  return typeof named.value === "number" ? `${named.name} ${named.value}` : named.name;
}
