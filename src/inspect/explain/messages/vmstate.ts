/** Messages about the fields of a device's state. */
import { fieldPlaces } from "../field-places.js";
import type { Message, Source } from "../message.js";
import { subjectPlaces } from "../scene.js";

const vmstate = (name: string): Source => ({ project: "QEMU", file: "migration/vmstate.c", function: name });
const types = (name: string): Source => ({
  project: "QEMU",
  file: "migration/vmstate-types.c",
  function: name,
});

const SAME_SIDES =
  "Give the device the same properties on both sides, and use the same machine type, written out with its version.";

export const vmstateMessages: readonly Message[] = [
  {
    id: "state-too-new",
    format: "%s: incoming version_id %d is too new for local version_id %d",
    values: ["state", "version", "local"],
    source: vmstate("vmstate_load_state"),
    meaning: "The source wrote a newer version of a state than the destination knows.",
    remedy:
      "Migrate to a QEMU that is at least as new, or start the source with an older machine type that both have.",
    subject: (values) => ({ state: values.text("state") }),
    causes: (values) => [
      `${values.text("state")}: version ${values.number("version")} came, the destination reads up to ${values.number("local")}`,
    ],
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "state-too-old",
    format: "%s: incoming version_id %d is too old for local minimum version_id  %d",
    values: ["state", "version", "local"],
    source: vmstate("vmstate_load_state"),
    meaning: "The source wrote an older version of a state than the destination still reads.",
    remedy: "Go by way of a QEMU of a version between the two, or restart the machine at the destination.",
    subject: (values) => ({ state: values.text("state") }),
    causes: (values) => [
      `${values.text("state")}: version ${values.number("version")} came, the destination reads ${values.number("local")} and newer`,
    ],
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "field-failed",
    isFollowUp: true,
    format: "Failed to load %s:%s",
    values: ["state", "field"],
    source: vmstate("vmstate_load_state"),
    meaning: "This field of this state was refused. The line before says why.",
    remedy: "Look at the lines before this one.",
    subject: (values) => ({ state: values.text("state") }),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "element-failed",
    isFollowUp: true,
    since: "11.1",
    format: "Failed to load element of type %s for %s",
    values: ["type", "field"],
    source: vmstate("vmstate_load_state"),
    meaning: "This field was refused. The line before says why, the last line in which device it is.",
    remedy: "Look at the lines before this one.",
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "hook-failed",
    isFollowUp: true,
    since: "11.1",
    format: "post load hook failed for: %s, version_id: %d, minimum_version: %d",
    later: ["pre load hook failed for: '%s', version_id: %d, minimum version_id: %d"],
    values: ["state", "version", "minimum"],
    source: vmstate("vmstate_load_state"),
    meaning:
      "What was loaded of this state was refused as a whole. The message behind it, or the line before, says why.",
    remedy: "Look at the lines before this one.",
    subject: (values) => ({ state: values.text("state") }),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "subsection-unknown",
    since: "11.1",
    format: "VM subsection '%s' in '%s' does not exist",
    values: ["subsection", "state"],
    source: vmstate("vmstate_subsection_load"),
    meaning: "The source sent a subsection of this state that the destination does not know.",
    remedy:
      "Start the source with a machine type that both have: its compatibility properties leave the subsection out. Or migrate to a QEMU that is at least as new.",
    subject: (values) => ({ state: values.text("state") }),
    causes: (values) => [
      `${values.text("subsection")} came with a newer QEMU, or with a property that only the source's device has`,
    ],
    places: (values, scene) =>
      fieldPlaces(scene, ({ name }) => name === values.text("subsection"), "the subsection"),
  },
  {
    id: "subsection-failed",
    isFollowUp: true,
    since: "11.1",
    format: "Loading VM subsection '%s' in '%s' failed",
    values: ["subsection", "state"],
    source: vmstate("vmstate_subsection_load"),
    meaning: "This subsection was refused. What stands behind says why.",
    remedy: "Look at the messages behind it, and at the lines before.",
    subject: (values) => ({ state: values.text("state") }),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "field-invalid",
    format: "Input validation failed: %s/%s",
    values: ["state", "field"],
    source: vmstate("vmstate_load_state"),
    meaning: "A check that the state itself brings along failed: its values do not fit together.",
    remedy: `Either the stream is damaged, or the device is configured differently. ${SAME_SIDES}`,
    subject: (values) => ({ state: values.text("state") }),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "not-equal",
    format: "%x != %x",
    isWholeLine: true,
    values: ["local", "source"],
    source: types("get_uint16_equal"),
    meaning:
      "A field that must be the same on both sides is not: it comes from the configuration of the device.",
    remedy: SAME_SIDES,
    causes: (values) => [
      `destination ${values.big("local")} (0x${values.text("local")}), source ${values.big("source")} (0x${values.text("source")}); the next line "Failed to load …" names the field`,
    ],
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "not-less-or-equal",
    format: "Invalid value %d expecting positive value <= %d",
    values: ["value", "limit"],
    source: types("get_int32_le"),
    meaning: "A number in the stream is negative or larger than what the destination has room for.",
    remedy: `The destination's device is configured smaller than the source's. ${SAME_SIDES}`,
    causes: (values) => [`${values.number("value")} came, at most ${values.number("limit")} fits`],
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "null-marker",
    format: "vmstate: get_nullptr expected VMS_NULLPTR_MARKER",
    values: [],
    source: types("get_nullptr"),
    meaning: "In an array of pointers the destination has a NULL where the source has none.",
    remedy: `Something that is created by configuration exists at one side only. ${SAME_SIDES}`,
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "list-failed",
    format: "%s: failed to load %s (%d)",
    values: ["field", "state", "error"],
    source: types("get_qlist"),
    meaning: "An element of a list inside a device's state was refused.",
    remedy: "Look at the lines before this one.",
    subject: (values) => ({ state: values.text("state") }),
    places: (_, scene) => subjectPlaces(scene),
  },
];
