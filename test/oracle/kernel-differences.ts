/** What is known to differ between the schemas and the kernel's headers, and why. */

/** Structures of ours that have another name in the kernel. */
export const SAME_LAYOUT: Readonly<Record<string, string>> = {};

/** `struct.field @our offset` or `sizeof struct @our size`, and the reason. */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  "sizeof vring_avail in 6..131076 @1": "the kernel leaves used_event, after the ring, to a macro",
  "sizeof vring_used in 6..524286 @1": "the kernel leaves avail_event, after the ring, to a macro",
};
