import { describe, expect, it } from "vitest";
import { Format } from "../../../src/inspect/explain/format.js";
import { messages, readLog } from "../../../src/inspect/explain/index.js";
import { LINES } from "./lines.js";

describe("the known messages", () => {
  it("are more than a hundred, each with a name of its own and a line that the tests know", () => {
    const ids = messages.map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(100);
    expect(new Set(ids).size).toBe(ids.length);
    expect(Object.keys(LINES).sort()).toEqual([...ids].sort());
  });

  it.each(Object.entries(LINES))("%s is recognised", (id, line) => {
    const { sightings, unknown } = readLog(line);
    expect([sightings.map(({ message }) => message.id), unknown]).toEqual([[id], []]);
  });

  it.each(messages.map((message) => [message.id, message] as const))(
    "%s: its line comes from its format, and every value has a name",
    (id, { format, enough, values, source }) => {
      const language = source.project === "QEMU" ? "c" : "rust";
      expect(new Format(format, [], language, false).match(LINES[id] ?? "")).toBeDefined();
      expect(format).toContain(enough ?? format);
      const match = new Format(enough ?? format, values, language, false).match(LINES[id] ?? "");
      for (const name of values) expect(match?.values.has(name), name).toBe(true);
      expect(match?.values.has("")).toBe(false);
    },
  );
});

describe("a log", () => {
  const text = [
    "2025-11-07 10:00:01.123+0000: starting up libvirt version: 10.0.0",
    "2025-11-07T10:00:02.000000Z qemu-kvm: Features 0x1c0010130afffaf unsupported. Allowed features: 0x10179bfffef",
    "2025-11-07T10:00:02.000001Z qemu-kvm: Failed to load virtio-net:virtio",
    "2025-11-07T10:00:02.000002Z qemu-kvm: error while loading state for instance 0x0 of device '0000:01:00.0/virtio-net'",
    "2025-11-07T10:00:02.000003Z qemu-kvm: load of migration failed: Operation not permitted",
    "",
    "2025-11-07T10:05:00.000000Z qemu-kvm: Missing section footer for cpu",
    "2025-11-07T10:05:00.000001Z qemu-kvm: load of migration failed: Invalid argument",
  ].join("\r\n");

  it("is read whole: every known line, and which lines are not", () => {
    const { sightings, unknown } = readLog(text);
    expect(sightings.map(({ message, line }) => [line, message.id])).toEqual([
      [2, "virtio-features"],
      [3, "field-failed"],
      [4, "device-failed"],
      [5, "load-failed"],
      [7, "footer-missing"],
      [8, "load-failed"],
    ]);
    expect(unknown.map(({ line }) => line)).toEqual([1]);
  });

  it("tells from the lines around what a line is about, and keeps failures apart", () => {
    const { sightings } = readLog(text);
    expect(sightings[0]?.subject).toEqual({ section: "0000:01:00.0/virtio-net", instanceId: 0 });
    expect(sightings[4]?.subject).toEqual({ section: "cpu" });
    expect(sightings[5]?.subject).toEqual({ section: "cpu" });
  });

  it("tells how many lines it has not read", () => {
    expect(readLog("\n".repeat(100_004)).unread).toBe(5);
    expect(readLog(text).unread).toBe(0);
  });

  it("finds two messages in one line", () => {
    const line =
      'Error loading back-end state of vhost-user-fs device /a (tag: "t"): Back-end failed to process its internal state';
    expect(readLog(line).sightings.map(({ message }) => message.id)).toEqual([
      "back-end-state-load",
      "back-end-state-failed",
    ]);
  });

  it.each([
    [
      "shortened as in the report of RH bug 2215819",
      "get_pci_config_device: Bad config data: i=0x6e read: 0 device: 40 cmask ff",
    ],
    [
      "in a message of libvirt",
      "internal error: QEMU unexpectedly closed the monitor (vm='x'): 2025-01-01T00:00:00.000000Z qemu-kvm: get_pci_config_device: Bad config data: i=0x6e read: 0 device: 40 cmask: ff wmask: 0 w1cmask:19",
    ],
    [
      "with white space of another kind",
      "qemu-kvm:\tget_pci_config_device: Bad config  data:\ti=0x6e read: 0 device: 40",
    ],
    [
      "behind -incoming",
      "qemu-system-x86_64: -incoming tcp:0:4444: get_pci_config_device: Bad config data: i=0x6e read: 0 device: 40",
    ],
  ])("takes a line %s", (_, line) => {
    const [sighting] = readLog(line).sightings;
    expect(sighting?.message.id).toBe("pci-config");
    expect(sighting?.values.number("offset")).toBe(0x6e);
    expect(sighting?.values.number("device")).toBe(0x40);
  });

  it("takes a message of a few characters only as a whole line", () => {
    expect(readLog("2025-01-01T00:00:00.000000Z qemu-kvm: 4 != 8").sightings).toHaveLength(1);
    expect(readLog("assertion failed: 4 != 8 (in the test)").sightings).toEqual([]);
  });

  it("does not hang on a line without end", () => {
    const start = performance.now();
    readLog(`${"a ".repeat(500_000)}Failed to load`);
    readLog("Failed to load ".repeat(100_000));
    readLog("'".repeat(1_000_000));
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

/** What QEMU 11.1.3 said when migrations to it failed: messages are put behind one another. */
describe("a log of QEMU 11.1", () => {
  const failed = "qemu-system-x86_64: load of migration failed: Invalid argument: ";

  it.each([
    [
      "another number of queues",
      [
        "qemu-system-x86_64: get_pci_config_device: Bad config data: i=0x9a read: 1 device: 4 cmask: ff wmask: 0 w1cmask:0",
        "qemu-system-x86_64: Failed to load element of type pci config for config",
        `${failed}error while loading state for instance 0x0 of device '0000:00:02.0/virtio-blk': Failed to load element of type virtio for virtio`,
      ],
      ["pci-config", "element-failed", "element-failed", "device-failed", "load-failed"],
      "0000:00:02.0/virtio-blk",
    ],
    [
      "a missing device",
      [
        `${failed}Unknown section or instance '0000:00:03.0/virtio-rng' 0. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices`,
      ],
      ["section-unknown", "load-failed"],
      "0000:00:03.0/virtio-rng",
    ],
    [
      "another machine type",
      [
        `${failed}post load hook failed for: configuration, version_id: 1, minimum_version: 0: Machine type received is 'pc-q35-10.0' and local is 'pc-i440fx-10.0'`,
      ],
      ["machine-type", "hook-failed", "load-failed"],
      undefined,
    ],
    [
      "a feature that is lacking",
      [
        "Features 0x00000000000000000000000100000044 unsupported. Allowed features: 0x00000000000000000000010179006e54",
        `${failed}error while loading state for instance 0x0 of device '0000:00:02.0/virtio-blk': Failed to load element of type virtio for virtio`,
      ],
      ["virtio-features", "element-failed", "device-failed", "load-failed"],
      "0000:00:02.0/virtio-blk",
    ],
    [
      "another guest by its UUID",
      [
        "qemu-system-x86_64: UUID received is 12345678-1234-5678-9abc-def012345678 and local is 22345678-1234-5678-9abc-def012345678",
        `${failed}Loading VM subsection 'configuration/uuid' in 'configuration' failed: post load hook failed for: configuration/uuid, version_id: 1, minimum_version: 1, ret: -22`,
      ],
      ["uuid", "hook-failed", "subsection-failed", "load-failed"],
      undefined,
    ],
    [
      "a file that is cut short",
      [
        "qemu-system-x86_64: load of migration failed: Input/output error: Failed to load vmstate version_id: 4, ret: -5",
      ],
      ["live-section-failed", "load-failed"],
      undefined,
    ],
    [
      "a footer that was lost",
      [
        "qemu-system-x86_64: Missing section footer for 0000:00:01.0/virtio-net",
        `${failed}Section footer error, section_id: 38`,
      ],
      ["footer-missing", "footer-failed", "load-failed"],
      "0000:00:01.0/virtio-net",
    ],
  ])("about %s is understood from the inside out", (_, lines, ids, section) => {
    const { sightings, unknown } = readLog(lines.join("\n"));
    expect(unknown).toEqual([]);
    expect(sightings.map(({ message }) => message.id)).toEqual(ids);
    expect(sightings[0]?.subject.section).toBe(section);
  });
});
