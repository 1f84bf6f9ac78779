/** What a format promises about its own growth, beyond what its bytes say. */
import type { Change } from "./changes/change.js";
import type { RuleId } from "./rules.js";

export interface Profile {
  readonly name: string;
  readonly about: string;
  /** Readers pass over what a range has behind the members that they know, and do without what is not there yet. */
  allows(change: Change): boolean;
  /** Why the format does not allow a change, whatever the bytes say. */
  forbids(change: Change): string | undefined;
  /** The rule that a change comes under in this profile. */
  ruleOf(change: Change): RuleId;
}

const wire: Profile = {
  name: "wire",
  about:
    "Exact compatibility of the bytes. Growth by `optional` members, names for open enums and flags, and cases for tags that were kept are compatible.",
  allows: () => false,
  forbids: () => undefined,
  ruleOf: ({ rule }) => rule,
};

const EXTENSIONS = "virtio-comment v2 3/8, Device Context Extensions, 4";

const FORBIDDEN: Partial<Record<RuleId, string>> = {
  "field-inserted": `a new field must be added at the end (${EXTENSIONS})`,
  "field-moved": `a new field must be added at the end (${EXTENSIONS})`,
  "field-removed": `a field that is present must not be removed (${EXTENSIONS})`,
  "field-reserved": `a field that is present must not be removed (${EXTENSIONS})`,
  "case-removed": `a field that is present must not be removed (${EXTENSIONS})`,
  "enum-member-removed": `a field that is present must not be removed (${EXTENSIONS})`,
  "struct-removed": `a field that is present must not be removed (${EXTENSIONS})`,
  "type-out-of-range":
    "generic fields have the types 0x0000 to 0x0fff, those of a device type 0x1000 to 0x1fff (virtio-comment v2 3/8, Device Context Extensions, 1)",
};

/** The enum whose members are the types of device context fields. */
const CONTEXT_TYPE = "virtio_dev_ctx_type";
const LAST_DEVICE_TYPE = 0x1fffn;

const deviceContext: Profile = {
  name: "device-context",
  about:
    "The extension rules of the draft series for device contexts: new fields only at the end, nothing removed, types in their ranges.",
  allows: ({ rule }) => rule === "field-appended" || rule === "optional-added" || rule === "effect",
  forbids: (change) => FORBIDDEN[deviceContext.ruleOf(change)],
  ruleOf: ({ rule, declaration, value }) =>
    rule === "enum-member-added" &&
    declaration === CONTEXT_TYPE &&
    value !== undefined &&
    value > LAST_DEVICE_TYPE
      ? "type-out-of-range"
      : rule,
};

export const profiles: readonly Profile[] = [wire, deviceContext];

export function profileByName(name: string): Profile | undefined {
  return profiles.find((profile) => profile.name === name);
}
