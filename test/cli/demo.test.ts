import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder, virtwire } from "./harness.js";

describe("virtwire demo migrate", () => {
  it("records both directions, which inspect reads", async () => {
    const file = join(temporaryFolder(), "guest.bin");
    const argv = ["demo", "migrate", "--memory", "4", "--downtime", "60000", "--record", file];
    expect((await virtwire(argv)).code).toBe(0);
    const source = await virtwire(["inspect", file]);
    expect([source.code, source.err]).toEqual([0, ""]);
    expect(source.out).toMatch(/VIRTIO_ID_NET +GUEST_MEMBER_DEVICE_CONTEXT/);
    expect(source.out).toContain("clean: every byte is accounted for, and the guest has been handed over");
    const answers = await virtwire(["inspect", `${file}.answers`]);
    expect([answers.code, answers.err]).toEqual([0, ""]);
    const { out } = await virtwire(["get", file, "members[1].states[0].fields[0].type"]);
    expect(out).toMatch(/^members\[1\]\.states\[0\]\.fields\[0\]\.type = \d+ .*VIRTIO_DEV_CTX_/);
  });

  it.each([
    ["device-context", "virtio device context (draft v2)"],
    ["device-parts", "virtio device parts"],
    ["vfio", "vfio-virtio migration data"],
  ])("moves a guest by %s, round by round, and explains what has moved", async (by, title) => {
    const { code, out, err } = await virtwire([
      "demo",
      "migrate",
      "--by",
      by,
      "--memory",
      "4",
      "--downtime",
      "2000",
    ]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const rounds = out.split("\n").filter((line) => /^ +\d+ /.test(line) || line.startsWith("stopped"));
    // 4 MiB are 1024 pages.
    expect(rounds[0]).toMatch(/^ +0 +1,024 /);
    expect(rounds.at(-1)).toMatch(/^stopped +[\d,]+ /);
    expect(out).toMatch(/It stood still for [\d.]+ ms\. [\d,]+ bytes went over/);
    expect(out).toContain("none lost, none twice");
    expect(out.split(`: ${title}, `)).toHaveLength(3);
    expect(out.match(/clean: every byte is accounted for/g)).toHaveLength(2);
  });

  it("shows every field on request", async () => {
    const { out } = await virtwire(["demo", "migrate", "--memory", "4", "--downtime", "2000", "-v"]);
    expect(out).toMatch(/device_status 15 \(0xf\)/);
  });

  it("shows a terminal how far it is", async () => {
    const { err } = await virtwire(["demo", "migrate", "--memory", "4", "--downtime", "2000"], {
      errIsTerminal: true,
    });
    expect(err).toMatch(/\rround 0 [█░]{30} \d+ %/);
    expect(err.endsWith("\r\u001b[K")).toBe(true);
  });

  it("is given up by Ctrl-C, and the guest loses nothing", async () => {
    const { code, out } = await virtwire(["demo", "migrate", "--memory", "4", "--downtime", "2000"], {
      interrupted: () => Promise.resolve(),
    });
    expect(code).toBe(1);
    expect(out).toContain("Given up: the source was told to give up. The guest goes on where it was");
  });

  it.each([
    [["demo"], "SCENARIO"],
    [["demo", "dance"], 'no scenario: "dance" (migrate)'],
    [["demo", "migrate", "--memory", "3"], "--memory takes a whole number from 4 to 1024"],
    [["demo", "migrate", "--downtime", "soon"], "--downtime takes a whole number"],
    [["demo", "migrate", "--by", "hand"], "by"],
  ])("refuses %j", async (argv, message) => {
    const { code, err } = await virtwire(argv);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
