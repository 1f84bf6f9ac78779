/** Messages about the framing of a stream: sections, footers, configuration, commands. */
import { QemuVmCmd, QemuVmSection } from "../../../../generated/qemu/stream.js";
import { hex } from "../../report.js";
import type { Capture } from "../capture.js";
import type { Message, Place, Source } from "../message.js";
import {
  damagePlaces,
  framingPlaces,
  neighbourhood,
  type Scene,
  sectionPlace,
  sectionsOf,
  subjectPlaces,
} from "../scene.js";
import type { Values } from "../values.js";

const savevm = (name: string): Source => ({ project: "QEMU", file: "migration/savevm.c", function: name });

const WRONG_LENGTH =
  "The destination took more or fewer bytes of a section than the source wrote: the two have different layouts of its state, or the stream lost bytes.";
const COMPARE =
  "Compare the two QEMU versions and machine types, and the properties of that device on both sides; with --other and a stream that the destination itself has saved, the differences are listed.";

const END_AT_SOURCE =
  "Look for the reason at the source (its log, query-migrate) and in the network: the destination only saw the end. With a file: it is cut short.";

export const streamMessages: readonly Message[] = [
  {
    id: "section-type",
    format: "Unknown savevm section type %d",
    later: ["Unknown section type %d"],
    values: ["type"],
    source: savevm("qemu_loadvm_state_main"),
    meaning: "Where a record has to begin, the destination found a byte that begins none.",
    remedy: `${COMPARE} The section that was read wrongly is the one before.`,
    causes: sectionTypeCauses,
    places: (_, scene) => [...damagePlaces(scene.file), ...differences(scene)],
  },
  {
    id: "section-unknown",
    format:
      "Unknown savevm section or instance '%s' %u. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices",
    enough: "Unknown savevm section or instance '%s' %u",
    later: ["Unknown section or instance '%s' %u"],
    values: ["section", "instance"],
    source: savevm("qemu_loadvm_section_start_full"),
    meaning: "The stream holds the state of a device that the destination does not have.",
    remedy:
      "Start the destination with the same devices at the same addresses, those plugged in later included; a device that the guest can do without is unplugged at the source before, or left out of a saved stream with `virtwire edit --drop`.",
    subject: (values) => ({ section: values.text("section"), instanceId: values.number("instance") }),
    causes: unknownSectionCauses,
    places: unknownSectionPlaces,
  },
  {
    id: "section-id-unknown",
    format: "Unknown savevm section %d",
    later: ["Unknown section %d"],
    values: ["id"],
    source: savevm("qemu_loadvm_section_part_end"),
    meaning: "A part of a live section came whose number no section has been opened with.",
    remedy: `${WRONG_LENGTH} ${COMPARE}`,
    places: sectionPlaces,
  },
  {
    id: "section-version",
    format: "savevm: unsupported version %d for '%s' v%d",
    values: ["version", "section", "local"],
    source: savevm("qemu_loadvm_section_start_full"),
    meaning: "The source wrote a newer version of a device's state than the destination knows.",
    remedy:
      "Migrate to a QEMU that is at least as new, or start the source with a machine type that both have: its compatibility properties keep the old version.",
    subject: (values) => ({ section: values.text("section") }),
    causes: (values) => [
      `version ${values.number("version")} is in the stream, ${values.number("local")} is the newest that the destination reads`,
    ],
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "footer-missing",
    format: "Missing section footer for %s",
    values: ["section"],
    source: savevm("check_section_footer"),
    meaning:
      "Behind the state of a device its footer (0x7e and the number of the section) has to stand, and did not.",
    remedy: COMPARE,
    subject: (values) => ({ section: values.text("section") }),
    causes: (values, scene) => [
      `The destination read another number of bytes for ${values.text("section")} than the source wrote: a field or a subsection that only one side has, or an array of another length.`,
      ...sizes(values.text("section"), scene),
    ],
    places: (_, scene) => [...framingPlaces(scene), ...differences(scene)],
  },
  {
    id: "footer-mismatched",
    format: "Mismatched section id in footer for %s - read 0x%x expected 0x%x",
    values: ["section", "read", "expected"],
    source: savevm("check_section_footer"),
    meaning: "Behind the state of a device there was a footer, but that of another section.",
    remedy: `${WRONG_LENGTH} ${COMPARE}`,
    subject: (values) => ({ section: values.text("section") }),
    causes: (values, { file }) => {
      const read = file?.sections.find(({ id }) => id === values.number("read"));
      return [
        `footer of section ${values.number("read")}${read === undefined ? "" : ` (${read.name})`}, where that of section ${values.number("expected")} has to be`,
      ];
    },
    places: (_, scene) => framingPlaces(scene),
  },
  {
    id: "footer-failed",
    isFollowUp: true,
    since: "11.1",
    format: "Section footer error, section_id: %d",
    values: ["id"],
    source: savevm("qemu_loadvm_section_start_full"),
    meaning: "The footer of this section was missing or wrong. The line before says what stood in its place.",
    remedy: "Look at the lines before this one.",
    places: sectionPlaces,
  },
  {
    id: "footer-unreadable",
    format: "%s: Read section footer failed: %d",
    values: ["function", "error"],
    source: savevm("check_section_footer"),
    meaning: "The stream ended, or the connection failed, where a footer has to stand.",
    remedy: END_AT_SOURCE,
    causes: (values) => errnoCauses(values.number("error")),
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "device-failed",
    isFollowUp: true,
    format: "error while loading state for instance 0x%x of device '%s'",
    values: ["instance", "section"],
    source: savevm("qemu_loadvm_section_start_full"),
    meaning: "The state of this device was refused. The line before says why.",
    remedy: "Look at the lines before this one.",
    subject: (values) => ({ section: values.text("section"), instanceId: values.number("instance") }),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "section-failed",
    isFollowUp: true,
    format: "error while loading state section id %d(%s)",
    values: ["id", "section"],
    source: savevm("qemu_loadvm_section_part_end"),
    meaning: "A part of a live section (memory, most often) was refused, or the stream ended inside it.",
    remedy:
      "Look at the lines before this one. When there are none, the connection was lost or the file is cut short inside this section.",
    subject: (values) => ({ section: values.text("section") }),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "live-section-failed",
    since: "11.1",
    format: "Failed to load vmstate version_id: %d, ret: %d",
    values: ["version", "error"],
    source: savevm("vmstate_load"),
    isFollowUp: true,
    meaning:
      "A part of a live section (memory, most often) was refused, or the stream ended inside it. The number is the version of the section, not what is wrong.",
    remedy:
      "Look at the lines before this one. When there are none, the connection was lost or the file is cut short.",
    causes: (values) => errnoCauses(values.number("error")),
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "section-id-unreadable",
    since: "11.1",
    format: "Failed to read section ID: %d",
    values: ["error"],
    source: savevm("qemu_loadvm_section_start_full"),
    meaning: "The stream ended, or the connection failed, where the head of a section has to stand.",
    remedy: END_AT_SOURCE,
    causes: (values) => errnoCauses(values.number("error")),
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "stream-error",
    since: "11.1",
    format: "loadvm failed: stream error: %d",
    later: [
      "Error while loading vmstate: stream error: %d",
      "Failed to load VM process command: stream error: %d",
      "Failed to load section ID: stream error: %d",
    ],
    values: ["error"],
    source: savevm("qemu_loadvm_state_main"),
    meaning: "The stream ended, or the connection failed, in the middle of it.",
    remedy: END_AT_SOURCE,
    causes: (values) => errnoCauses(values.number("error")),
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "not-a-stream",
    format: "Not a migration stream",
    values: [],
    source: savevm("qemu_loadvm_state_header"),
    meaning: "The first four bytes are not `QEVM` (0x5145564d).",
    remedy:
      "The file is of another kind (compressed, a libvirt save image, a qcow2 image), a TLS or multifd connection met a plain one, or the offset of a file: URI is wrong. `virtwire inspect` names the kind of a file.",
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "stream-version",
    format: "Unsupported migration stream version",
    values: [],
    source: savevm("qemu_loadvm_state_header"),
    meaning: "Behind `QEVM` stands another version than 3.",
    remedy: "No QEMU since 2009 writes another version: the file is damaged or is no migration stream.",
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "configuration-missing",
    format: "Configuration section missing",
    values: [],
    source: savevm("qemu_loadvm_state_header"),
    meaning: "The destination expects the configuration record first, and the source did not send it.",
    remedy:
      "Machine types up to 2.3 send none: use the same machine type on both sides, or set -global migration.send-configuration the same.",
    places: (_, scene) => configurationPlaces(scene),
  },
  {
    id: "machine-type",
    format: "Machine type received is '%.*s' and local is '%s'",
    values: ["source", "local"],
    source: savevm("configuration_post_load"),
    meaning: "The two sides run different machine types.",
    remedy:
      "Start the destination with the machine type of the source, written out with its version: an alias such as `pc` or `q35` means another one in every QEMU.",
    causes: (values) => [`source ${values.text("source")}, destination ${values.text("local")}`],
    places: (_, scene) => configurationPlaces(scene),
  },
  {
    id: "page-bits",
    format: "Received TARGET_PAGE_BITS is %d but local is %d",
    values: ["source", "local"],
    source: savevm("configuration_post_load"),
    meaning: "The two sides count guest memory in pages of different sizes.",
    remedy: "Use the same machine type and CPU on both sides: on Arm they decide the page size.",
    causes: (values) => [
      `source ${2 ** values.number("source")} bytes, destination ${2 ** values.number("local")} bytes`,
    ],
    places: (_, scene) => configurationPlaces(scene),
  },
  {
    id: "capability",
    format: "Capability %s is %s, but received capability is %s",
    values: ["capability", "local", "source"],
    source: savevm("configuration_validate_capabilities"),
    meaning: "A migration capability that changes the stream is on at one side only.",
    remedy:
      "Set the capability the same on both sides (migrate-set-capabilities) before the migration starts.",
    causes: (values) => [
      `${values.text("capability")}: ${values.text("source")} at the source, ${values.text("local")} at the destination`,
    ],
    places: (_, scene) => configurationPlaces(scene),
  },
  {
    id: "capability-unknown",
    format: "Received unknown capability %s",
    values: ["capability"],
    source: savevm("get_capability"),
    meaning: "The source has a migration capability on that the destination does not know.",
    remedy: "Turn the capability off at the source, or migrate to a newer QEMU.",
    places: (_, scene) => configurationPlaces(scene),
  },
  {
    id: "uuid",
    format: "UUID received is %s and local is %s",
    values: ["source", "local"],
    source: savevm("vmstate_uuid_post_load"),
    meaning: "The capability validate-uuid is on, and the two sides have different machines.",
    remedy: "This is the destination of another machine, or its -uuid is missing.",
    places: (_, scene) => configurationPlaces(scene),
  },
  {
    id: "command-unknown",
    format: "MIG_CMD 0x%x unknown (len 0x%x)",
    values: ["command", "length"],
    source: savevm("loadvm_process_command"),
    meaning: "The source sent a command that the destination does not know.",
    remedy:
      "Migrate to a QEMU that is at least as new, with the source's machine type: newer commands are sent to older machine types only when they are asked for. A number above 0xff means that the destination is out of step instead.",
    causes: (values) => {
      const name = Object.entries(QemuVmCmd).find(([, value]) => value === values.number("command"))?.[0];
      return name === undefined ? [] : [`command ${hex(values.number("command"))} is ${name}`];
    },
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "command-length",
    format: "%s received with bad length - expecting %zu, got %d",
    values: ["command", "expected", "got"],
    source: savevm("loadvm_process_command"),
    meaning: "The data of a command has another length than the destination expects.",
    remedy: WRONG_LENGTH,
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "name-unreadable",
    format: "Unable to read ID string for section %u",
    values: ["id"],
    source: savevm("qemu_loadvm_section_start_full"),
    meaning: "The stream ended inside the head of a section.",
    remedy: "The connection was lost, or the file is cut short.",
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "description-expected",
    format: "Expected vmdescription section, but got %d",
    values: ["type"],
    source: savevm("qemu_loadvm_state"),
    meaning: "Behind the end of the stream something else follows than its description.",
    remedy:
      "Harmless by itself: everything has been loaded by then. The file may have rests of an older one behind its end.",
    places: (_, scene) => damagePlaces(scene.file),
  },
  {
    id: "unmigratable",
    format: "State blocked by non-migratable device '%s'",
    values: ["section"],
    source: savevm("qemu_savevm_state_blocked"),
    meaning: "The source refuses to start: it has a device that cannot be migrated.",
    remedy: "Unplug the device before the migration, and plug it in again at the destination.",
  },
  {
    id: "load-failed",
    isFollowUp: true,
    format: "load of migration failed: %s",
    // The first error behind the last: it is a message of its own.
    later: ["load of migration failed: %s: "],
    values: ["error"],
    source: { project: "QEMU", file: "migration/migration.c", function: "process_incoming_migration_co" },
    meaning: "The destination gives up. The lines before say why.",
    remedy: "Look at the first error line of the destination, not at this one.",
    causes: (values) =>
      ERRORS.filter(([text]) => values.text("error").startsWith(text)).map(([, cause]) => cause),
    places: (_, scene) => damagePlaces(scene.file),
  },
];

/** The section whose number the message says. */
function sectionPlaces(values: Values, { file }: Scene): Place[] {
  if (file === undefined) return [];
  return file.sections
    .filter(({ id }) => id === values.number("id"))
    .map((section) => sectionPlace(file, section));
}

/** What the last line's error text tells. */
const ERRORS: readonly (readonly [text: string, cause: string])[] = [
  ["Invalid argument", "Invalid argument (EINVAL): something in the stream was refused."],
  [
    "Operation not permitted",
    "Operation not permitted (EPERM, −1): a device's own loader failed; virtio devices answer so. It is no matter of rights.",
  ],
  [
    "Input/output error",
    "Input/output error (EIO): the connection closed or the file ended before the stream did; the reason is at the source.",
  ],
  ["Connection reset", "The source, or something between, closed the connection; the reason is there."],
  [
    "No such file",
    "No such file or directory (ENOENT): a subsection came that the destination does not know.",
  ],
];

function errnoCauses(error: number): string[] {
  return error === -5 ? ["error −5 (EIO): the input is over"] : [];
}

function sectionTypeCauses(values: Values, { file }: Scene): string[] {
  const type = values.number("type");
  const known = Object.entries(QemuVmSection).find(([, value]) => value === type)?.[0];
  const causes = [`${type} is ${hex(type)}${known === undefined ? "" : `, ${known}`}`];
  if (type === QemuVmSection.QEMU_VM_SECTION_FOOTER) {
    causes.push(
      "A footer stands behind every section and never begins a record: the destination read the section before with the wrong length and came out on its footer, or it expects no footers (machine types up to 2.3, migration.send-section-footer=off).",
    );
  } else if (type === QemuVmSection.QEMU_VM_SUBSECTION) {
    causes.push(
      "A subsection only stands inside the state of a device: the source sent one that the destination did not expect there, so it took the state before for finished.",
    );
  } else {
    causes.push(WRONG_LENGTH);
  }
  if (file !== undefined && file.faults.length === 0)
    causes.push("The stream itself is sound: the two sides differ about the layout of one of its sections.");
  return causes;
}

function unknownSectionCauses(values: Values, { file, other }: Scene): string[] {
  const name = values.text("section");
  const causes: string[] = [];
  const instances = (capture: Capture | undefined): string =>
    sectionsOf(capture, name)
      .map(({ instanceId }) => instanceId)
      .join(", ");
  if (file !== undefined && sectionsOf(file, name).length > 1)
    causes.push(`the stream has instances ${instances(file)} of ${name}`);
  if (other !== undefined) {
    const there = instances(other);
    causes.push(
      there === "" ? `${other.name} has no ${name}` : `${other.name} has instance ${there} of ${name}`,
    );
  }
  const hint = MISSING.find(([pattern]) => pattern.test(name))?.[1];
  if (hint !== undefined) causes.push(hint);
  return causes;
}

/** Why a section of such a name is missing at the destination. */
const MISSING: readonly (readonly [name: RegExp, cause: string])[] = [
  [
    /^kvm|^kvmclock|kvm-tpr-opt/,
    "It belongs to KVM: the source ran with it, the destination runs with TCG or another accelerator.",
  ],
  [
    /^serial$/,
    "Serial ports are numbered in the order in which they are created: one more was configured at the source.",
  ],
  [/^slirp$/, "User networking (-netdev user) at the source, not at the destination."],
  [/\/vfio$/, "A VFIO device that the destination does not have, or that cannot migrate there."],
  [/^ram$/, "The destination knows no section of memory: that is no QEMU with the same target."],
  [
    /virtio|vhost/,
    "In front of the name stands the PCI address: the device may be there, but in another slot.",
  ],
];

function unknownSectionPlaces(values: Values, scene: Scene): Place[] {
  const { file } = scene;
  if (file === undefined) return [];
  const name = values.text("section");
  const exact = sectionsOf(file, name, values.number("instance"));
  const found = exact.length > 0 ? exact : sectionsOf(file, name);
  return [...found.flatMap((section) => neighbourhood(file, section)), ...damagePlaces(file)];
}

function configurationPlaces({ file }: Scene): Place[] {
  if (file?.machine === undefined) return [];
  const text = `machine ${file.machine}, capabilities ${file.capabilities.join(", ") || "none"}`;
  return [{ capture: file.name, at: file.configurationAt, path: "configuration", text }];
}

/** What the same section takes at the destination. */
function sizes(name: string, { file, other }: Scene): string[] {
  const [ours] = sectionsOf(file, name);
  const [theirs] = sectionsOf(other, name);
  if (ours === undefined || theirs === undefined || ours.bodySize === theirs.bodySize) return [];
  return [`${ours.bodySize} bytes in ${file?.name}, ${theirs.bodySize} bytes in ${other?.name}`];
}

/** Sections that the destination has in another size or version: the one that is read wrongly is among them. */
function differences({ file, other }: Scene): Place[] {
  if (file === undefined || other === undefined) return [];
  return file.sections.flatMap((section) => {
    const [theirs] = sectionsOf(other, section.name, section.instanceId);
    if (theirs === undefined) return [sectionPlace(file, section, `not in ${other.name}`)];
    if (
      section.name === "ram" ||
      (theirs.bodySize === section.bodySize && theirs.versionId === section.versionId)
    )
      return [];
    const text = `version ${section.versionId}, ${section.bodySize} bytes; in ${other.name} version ${theirs.versionId}, ${theirs.bodySize} bytes`;
    return [sectionPlace(file, section, text)];
  });
}
