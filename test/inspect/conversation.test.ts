import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type CaptureRecord,
  ChartRenderer,
  ConversationInspection,
  type Node,
  type Summary,
} from "../../src/inspect/index.js";
import { ruleFixtures } from "../streams/vhost-user/rule-fixtures.js";

const captured = new Uint8Array(readFileSync(new URL("../captures/vhost-user-qsd.jsonl", import.meta.url)));

function inspect(input: Uint8Array): { records: CaptureRecord[]; summary: Summary; chart: string } {
  const records: CaptureRecord[] = [];
  let chart = "";
  const write = (text: string): void => {
    chart += text;
  };
  const renderer = new ChartRenderer({ colour: false, verbosity: 0, name: "x" }, write);
  const inspection = new ConversationInspection({
    record: (record) => {
      records.push(record);
      renderer.record(record);
    },
  });
  inspection.push(input);
  const summary = inspection.end();
  renderer.finish(summary, write);
  return { records, summary, chart };
}

function leaves(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node) => (node.children === undefined ? [node] : leaves(node.children)));
}

describe("the inspection of a conversation", () => {
  const { records, summary, chart } = inspect(captured);

  it("reads every message of a real session to its last byte", () => {
    expect(records).toHaveLength(74);
    for (const record of records) {
      expect(record.faults).toEqual([]);
      // Bit fields share their bytes.
      const ends = leaves(record.fields ?? []).map(({ at, size }) => at + size);
      expect(Math.max(...ends)).toBe(record.at + record.size);
      const covered = new Set(leaves(record.fields ?? []).flatMap(({ at, size }) => range(at, size)));
      expect(covered.size).toBe(record.size);
    }
    expect(summary.faultCount).toBe(0);
    expect(summary.verdict).toBe("clean: every message is read, and no rule is broken");
  });

  it("says what was agreed on, by name", () => {
    const facts = Object.fromEntries(summary.facts.map(({ key, value }) => [key, value]));
    expect(facts["message_count"]).toBe(74);
    // One for each memory region, eventfd and log, and for the back-end's channel.
    expect(facts["descriptor_count"]).toBe(13);
    expect(facts["queue_num"]).toBe(2n);
    // 0x8f2b: bits 0, 1, 3, 5, 8, 9, 10, 11 and 15 of the document's list.
    expect(facts["protocol_features"]).toEqual(
      ["MQ", "LOG_SHMFD", "REPLY_ACK", "BACKEND_REQ", "PAGEFAULT", "CONFIG"]
        .concat("BACKEND_SEND_FD", "HOST_NOTIFIER", "CONFIGURE_MEM_SLOTS")
        .map((name) => `VHOST_USER_PROTOCOL_F_${name}`),
    );
    expect(facts["features"]).toContain("VHOST_F_LOG_ALL");
  });

  it("draws the front-end's messages to the right and the back-end's to the left", () => {
    const lines = chart.split("\n");
    expect(lines[0]).toMatch(/^ +front-end +back-end$/);
    expect(lines.find((line) => line.includes("VHOST_USER_ADD_MEM_REG, need_reply, 1 fd"))).toMatch(
      /^ +0\.052928 +30 {2}│── VHOST_USER_ADD_MEM_REG, need_reply, 1 fd ─+▶│ {2}guest_phys_addr 0 memory_size 0xa000000 /,
    );
    expect(lines.find((line) => line.includes("VHOST_USER_GET_QUEUE_NUM, reply"))).toMatch(
      /^ +0\.014386 +6 {2}│◀─+ VHOST_USER_GET_QUEUE_NUM, reply ──│ {2}queue_num 2$/,
    );
    expect(chart).toContain("VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS");
    expect(chart).toMatch(/verdict +clean/);
  });

  it("shows a broken rule where it is broken, and does not call the conversation clean", () => {
    const text = ruleFixtures["ring-changed-while-running"]?.bad.text() ?? "";
    const broken = inspect(new TextEncoder().encode(text));
    expect(broken.chart).toMatch(
      /VHOST_USER_SET_VRING_NUM .*\n +! ring-changed-while-running: ring 0 runs\n/,
    );
    expect(broken.summary.verdict).toBe("every message is read; 1 broken rule (virtwire check explains)");
    expect(broken.records[broken.records.length - 1]?.attributes["rules"]).toEqual([
      "ring-changed-while-running",
    ]);
  });

  it("follows each session of a recording on its own, and says in the chart whose turn it is", () => {
    const lines = new TextDecoder().decode(captured).trimEnd().split("\n");
    const mixed = lines.flatMap((line) => [
      line.replace("{", '{"session": "blk0", '),
      line.replace("{", '{"session": "blk1", '),
    ]);
    const several = inspect(new TextEncoder().encode(mixed.join("\n")));
    expect(several.summary.verdict).toBe("clean: every message is read, and no rule is broken");
    expect(several.records.map(({ attributes }) => attributes["index"])).toEqual(range(0, 148));
    const table = several.summary.tables.find(({ key }) => key === "sessions");
    expect(table?.rows.map((row) => row.slice(0, 4).map(({ value }) => value))).toEqual([
      ["blk0", 74, 0, 2n],
      ["blk1", 74, 0, 2n],
    ]);
    expect(several.chart).toMatch(/\[blk0\]\n.*GET_FEATURES.*\n +\[blk1\]\n.*GET_FEATURES/);
    const file = readFileSync(new URL("../captures/vhost-user-qsd.pcapng", import.meta.url));
    const sections = inspect(new Uint8Array(Buffer.concat([file, file])));
    expect(sections.summary.tables[0]?.briefs).toEqual([
      "vhost-user-blk",
      "vhost-user-blk (section 1, interface 0)",
    ]);
    expect(sections.summary.verdict).toBe("clean: every message is read, and no rule is broken");
  });

  it("names the line of the recording that cannot be read", () => {
    const text = new TextDecoder().decode(captured).replace('"hex": "0f', '"hex": "0');
    const { faults, verdict } = inspect(new TextEncoder().encode(text)).summary;
    expect(faults[0]).toMatchObject({ path: "line 3", detail: expect.stringContaining("hex") });
    expect(verdict).toMatch(/^damaged: 1 fault/);
  });
});

function range(at: number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => at + i);
}
