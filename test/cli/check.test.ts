import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ruleFixtures } from "../streams/vhost-user/rule-fixtures.js";
import { bytes } from "../streams/wire-bytes.js";
import { temporaryFolder, virtwire } from "./harness.js";

const CAPTURE = fileURLToPath(new URL("../captures/vhost-user-qsd.jsonl", import.meta.url));

function write(text: string): string {
  const path = join(temporaryFolder(), "talk.jsonl");
  writeFileSync(path, text);
  return path;
}

describe("virtwire check", () => {
  it("gives 0 for a real session", async () => {
    const { code, out, err } = await virtwire(["check", CAPTURE]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toBe(`${CAPTURE}: 74 messages, no rule is broken\n`);
  });

  it("gives 1 for a broken rule, with the message, its offset, the rule and its source", async () => {
    const path = write(ruleFixtures["device-state-unchecked"]?.bad.text() ?? "");
    const { code, out, err } = await virtwire(["check", path]);
    expect([code, err]).toEqual([1, ""]);
    expect(out).toMatch(
      /message 9 at 0x[0-9a-f]+ \(fe, VHOST_USER_SET_DEVICE_STATE_FD\): device-state-unchecked: the transfer before it has not been checked\n/,
    );
    expect(out).toContain("vhost-user.rst, Migrating back-end state");
    expect(out).toContain(": 11 messages, 1 broken\n");
  });

  it("gives 1, not 4, for a payload of the wrong size", async () => {
    const path = write(ruleFixtures["payload-size"]?.bad.text() ?? "");
    expect((await virtwire(["check", path])).code).toBe(1);
  });

  it("gives 4 for a damaged recording, and still says what is broken", async () => {
    const path = write(`${ruleFixtures["version"]?.bad.text()}{"from":"fe"}\n`);
    const { code, out, err } = await virtwire(["check", path]);
    expect(code).toBe(4);
    expect(out).toContain(": version: version 2\n");
    expect(err).toMatch(/: line \d+: hex is no text of whole bytes/);
  });

  it("gives 4 for what is no conversation", async () => {
    const { code, err } = await virtwire(["check", "-"], { input: [bytes("QEVM", 0, 0, 0, 3)] });
    expect(code).toBe(4);
    expect(err).not.toBe("");
    expect((await virtwire(["check", "-"])).code).toBe(4);
  });

  it("gives 2 for a file that is not there", async () => {
    expect((await virtwire(["check", join(temporaryFolder(), "none")])).code).toBe(2);
  });
});
