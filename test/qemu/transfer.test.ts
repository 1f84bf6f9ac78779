/** Live migrations between a real QEMU and virtwire, both ways. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { SOURCE_STATUS } from "../../src/streams/index.js";
import { type Ran, temporaryFolder, virtwire } from "../cli/harness.js";
import { describeWith } from "./describe-with.js";
import { argumentsOf, PC, Q35, startGuest } from "./guests.js";
import { Machine } from "./machine.js";
import { expectMemory, saveMemory } from "./memory.js";
import { newerQemu, olderQemu, type Program } from "./programs.js";

interface Received extends Ran {
  readonly file: string;
  /** What the guest's memory held when it had stopped at the source. */
  readonly memory: string;
  /** The states of the source, as it reported them. */
  readonly states: readonly string[];
}

interface Migration {
  readonly program: Program;
  readonly machine: string;
  readonly capabilities?: readonly string[];
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** `broken`: the connection breaks in the middle of it, and is taken up again. */
  readonly postcopy?: "whole" | "broken";
  /** Of `receive`. */
  readonly options?: readonly string[];
}

/** Migrates a running guest into `virtwire receive`. */
async function receive({ program, machine, options = [], ...given }: Migration): Promise<Received> {
  const folder = temporaryFolder();
  const file = join(folder, "vm.mig");
  const socket = join(folder, "vm.sock");
  await using qemu = await startGuest(Q35, program, machine, folder);
  await qemu.capabilities(...(given.capabilities ?? []));
  const received = virtwire(["receive", "--listen", socket, "-o", file, ...options], {
    interrupted: () => new Promise(() => {}),
  });
  await qemu.until(async () => existsSync(socket));
  if (given.parameters !== undefined) await qemu.qmp("migrate-set-parameters", given.parameters);
  // So slow that there is something left for postcopy.
  if (given.postcopy) await qemu.qmp("migrate-set-parameters", { "max-bandwidth": 1_000_000 });
  if (given.postcopy === "broken")
    await qemu.qmp("migrate-set-parameters", { "max-postcopy-bandwidth": 1_000_000 });
  await qemu.qmp("migrate", { uri: `unix:${socket}` });
  if (given.postcopy) {
    await qemu.event("MIGRATION", ({ status }) => status === "active");
    await qemu.qmp("migrate-start-postcopy");
  }
  if (given.postcopy === "broken") {
    // Before the guest runs at the destination, and asks for pages, nothing can be taken up again.
    await qemu.until(async () => ((await qemu.migration()).ram?.["postcopy-requests"] ?? 0) > 0);
    await qemu.event("MIGRATION", ({ status }) => status === "postcopy-active");
    await qemu.qmp("migrate-pause");
    await qemu.event("MIGRATION", ({ status }) => status === "postcopy-paused");
    await qemu.qmp("migrate-set-parameters", { "max-postcopy-bandwidth": 0 });
    await qemu.qmp("migrate", { uri: `unix:${socket}`, resume: true });
  }
  const info = await qemu.migrated();
  expect([info.status, info["error-desc"]]).toEqual(["completed", undefined]);
  const memory = join(folder, "memory.bin");
  await saveMemory(qemu, Q35, memory);
  return { ...(await received), file, memory, states: qemu.migrationStates };
}

/** Plays what was received into a QEMU that waits for it, whose guest then runs on. */
async function playBack(
  { file }: Received,
  { program, machine, capabilities = [], parameters }: Migration,
  channels: readonly string[] = [],
): Promise<string> {
  const folder = temporaryFolder();
  const socket = join(folder, "vm.sock");
  const args = [...program.args, ...argumentsOf(Q35, machine, folder), "-incoming", "defer"];
  await using qemu = await Machine.start(program.path, args, folder);
  await qemu.capabilities(...capabilities);
  if (parameters !== undefined) await qemu.qmp("migrate-set-parameters", parameters);
  await qemu.qmp("migrate-incoming", { uri: `unix:${socket}` });
  const others = channels.length === 0 ? [] : ["--channels", channels.join(",")];
  const sent = await virtwire(["send", file, "--to", socket, ...others]);
  expect([sent.code, sent.err, qemu.stderr]).toEqual([0, "", ""]);
  expect(await qemu.migrated()).toMatchObject({ status: "completed" });
  await qemu.until(async () => (await qemu.status()) === "running");
  return sent.out;
}

function arcsOf(states: readonly string[]): string[] {
  return ["none", ...states].slice(0, -1).map((from, i) => `${from} ${states[i] ?? ""}`);
}

const KNOWN_ARCS = new Set(SOURCE_STATUS.arcs.map(({ from, to }) => `${from} ${to}`));

function proveMigrations(program: Program, machine: string): void {
  const precopy: readonly [string, Omit<Migration, "program" | "machine">][] = [
    ["without a return path", {}],
    ["with a return path", { capabilities: ["return-path"] }],
    [
      "that waits for switchover-ack",
      { capabilities: ["return-path", "switchover-ack"], options: ["--switchover-ack"] },
    ],
  ];
  for (const [name, given] of precopy) {
    it(`takes a precopy ${name}, and plays it back`, async () => {
      const migration = { program, machine, ...given };
      const received = await receive(migration);
      expect([received.code, received.err]).toEqual([0, ""]);
      for (const arc of arcsOf(received.states)) expect(KNOWN_ARCS).toContain(arc);
      expect(existsSync(`${received.file}.return`)).toBe(given.capabilities !== undefined);
      const said = await playBack(received, migration);
      if (given.capabilities !== undefined) expect(said).toContain("the destination has loaded it");
    });
  }

  it("takes a precopy without description", async () => {
    const received = await receive({
      program,
      machine: `${machine},suppress-vmdesc=on`,
      capabilities: ["return-path"],
    });
    expect([received.code, received.err]).toEqual([0, ""]);
    // PONG and SHUT.
    expect(readFileSync(`${received.file}.return`).length).toBe(16);
  });

  for (const compression of ["none", "zlib", "zstd"]) {
    it(`takes multifd channels (${compression}), and plays them back`, async () => {
      const migration = {
        program,
        machine,
        capabilities: ["multifd", "return-path"],
        parameters: { "multifd-channels": 2, "multifd-compression": compression },
      };
      const received = await receive(migration);
      expect([received.code, received.err]).toEqual([0, ""]);
      expect(received.out.match(/: multifd channel, [1-9]/g)).toHaveLength(2);
      const channels = [`${received.file}.ch1`, `${received.file}.ch2`];
      await expectMemory([received.file, ...channels], Q35, received.memory);
      await playBack(received, migration, channels);
    });
  }

  it("goes through postcopy, and plays it back", async () => {
    const migration: Migration = { program, machine, capabilities: ["postcopy-ram"], postcopy: "whole" };
    const received = await receive(migration);
    expect([received.code, received.err]).toEqual([0, ""]);
    expect(received.out).toMatch(/postcopy, [1-9]\d* page requests sent\n$/);
    for (const arc of arcsOf(received.states)) expect(KNOWN_ARCS).toContain(arc);
    expect(received.states).toContain("postcopy-active");
    await expectMemory([received.file], Q35, received.memory);
    await playBack(received, migration);
  });

  for (const [name, capabilities] of [
    ["", ["postcopy-ram"]],
    [", with preemption", ["postcopy-ram", "postcopy-preempt"]],
  ] as const) {
    it(`recovers a postcopy whose connection breaks${name}`, async () => {
      const options = ["--recover"];
      const received = await receive({ program, machine, capabilities, postcopy: "broken", options });
      expect(received.err).toMatch(/^.*: the connection broke: waiting for the source to connect again.*\n$/);
      expect(received.code).toBe(0);
      expect(received.out).toMatch(/\.resumed1: main channel, after the break, [1-9]/);
      for (const arc of arcsOf(received.states)) expect(KNOWN_ARCS).toContain(arc);
      expect(received.states).toContain("postcopy-recover");
      const channels = ["vm.mig.ch1", "vm.mig.ch3"].map((name) => join(dirname(received.file), name));
      const files = [
        received.file,
        `${received.file}.resumed1`,
        ...channels.filter((file) => existsSync(file)),
      ];
      await expectMemory(files, Q35, received.memory);
    });
  }

  it("goes through postcopy with preemption, and plays it back", async () => {
    const capabilities = ["postcopy-ram", "postcopy-preempt"];
    const migration: Migration = { program, machine, capabilities, postcopy: "whole" };
    const received = await receive(migration);
    expect([received.code, received.err]).toEqual([0, ""]);
    expect(received.out).toMatch(/\.ch1: postcopy-preempt channel, [1-9]/);
    const channel = `${received.file}.ch1`;
    await expectMemory([received.file, channel], Q35, received.memory);
    await playBack(received, migration, [channel]);
  });
}

describeWith("virtwire and QEMU", newerQemu("x86_64"), (program) => {
  proveMigrations(program, Q35.machine.newer);

  it("tells a destination of another guest's stream apart", async () => {
    const folder = temporaryFolder();
    const { file } = await receive({ program, machine: Q35.machine.newer, capabilities: ["return-path"] });
    const socket = join(folder, "vm.sock");
    const args = [...argumentsOf(PC, PC.machine.newer, folder), "-incoming", `unix:${socket}`];
    await using qemu = await Machine.start(program.path, args, folder);
    const sent = await virtwire(["send", file, "--to", socket]);
    expect(sent.code).toBe(1);
    expect(await qemu.exit()).not.toBe(0);
    expect(qemu.stderr).toContain("Machine type received is 'pc-q35-10.0' and local is 'pc-i440fx-10.0'");
  });
});

describeWith("virtwire and an older QEMU", olderQemu("x86_64"), (program) => {
  it("go through postcopy with preemption", async () => {
    const machine = Q35.machine.older ?? "";
    const capabilities = ["postcopy-ram", "postcopy-preempt"];
    const received = await receive({ program, machine, capabilities, postcopy: "whole" });
    expect([received.code, received.err]).toEqual([0, ""]);
  });
});
