import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { temporaryFolder, virtwire } from "./harness.js";

const FIRST = "module first little;\n\nstruct first { le16 x; }\n";
const SECOND =
  "module a.second little;\n\nimport first { first };\n\nstruct second { first inner; le32 y; }\n";

interface Watching {
  readonly schemas: string;
  readonly out: string;
  /** What has been printed since the last call, once `text` is in it. */
  readonly printed: (text: string) => Promise<string>;
  readonly save: (file: string, text: string) => void;
  readonly generated: (file: string) => string;
  /** Interrupts; gives the exit code. */
  readonly stop: () => Promise<number>;
  readonly ended: Promise<{ readonly code: number; readonly err: string }>;
}

async function watching(): Promise<Watching> {
  const folder = temporaryFolder();
  const [schemas, out] = [join(folder, "schemas"), join(folder, "out")];
  mkdirSync(join(schemas, "a"), { recursive: true });
  const save = (file: string, text: string): void => writeFileSync(join(schemas, file), text);
  save("first.wire", FIRST);
  save("a/second.wire", SECOND);
  let err = "";
  let interrupt: () => void = () => undefined;
  const interrupted = new Promise<void>((resolve) => {
    interrupt = resolve;
  });
  const ended = virtwire(["gen", schemas, "--out", out, "--target", "ts", "--watch"], {
    err: (text) => {
      err += text;
    },
    interrupted: () => interrupted,
  });
  const stop = async (): Promise<number> => {
    interrupt();
    return (await ended).code;
  };
  onTestFinished(async () => {
    await stop();
  });
  const printed = async (text: string): Promise<string> => {
    await vi.waitFor(() => expect(err).toContain(text), { timeout: 10_000, interval: 5 });
    const all = err;
    err = "";
    return all;
  };
  await printed("2 files");
  return {
    schemas,
    out,
    printed,
    save,
    generated: (file) => readFileSync(join(out, file), "utf8"),
    stop,
    ended: ended.then(({ code }) => ({ code, err })),
  };
}

describe("virtwire gen --watch", () => {
  it("generates at once, and again when a schema changes", async () => {
    const { generated, save, printed, stop } = await watching();
    expect(generated("first.ts")).toContain("x: number");
    save("first.wire", FIRST.replace("le16 x", "le64 x"));
    // The module that imports it reads other bytes now, so its file changes as well.
    expect(await printed("written")).toMatch(/2 files in .*: 2 written in \d+ ms/);
    expect(generated("first.ts")).toContain("x: bigint");
    expect(generated("a/second.ts")).toContain("SECOND_SIZE = 12");
    save("a/second.wire", SECOND.replace("le32 y", "le32 z"));
    expect(await printed("written")).toMatch(/: 1 written/);
    expect(generated("a/second.ts")).toContain("z: number");
    expect(await stop()).toBe(0);
  });

  it("prints what is wrong, keeps what was generated, and goes on", async () => {
    const { generated, save, printed } = await watching();
    const before = generated("a/second.ts");
    save("first.wire", FIRST.replace("le16 x", "le17 x"));
    const errors = await printed("1 error");
    expect(errors).toMatch(/^first\.wire:3:16: error: /);
    expect(generated("a/second.ts")).toBe(before);
    save("first.wire", FIRST.replace("le16 x", "le32 x"));
    expect(await printed("written")).not.toContain("error");
    expect(generated("a/second.ts")).toContain("SECOND_SIZE = 8");
  });

  it("follows files and folders that come, move and go", async () => {
    const { schemas, out, generated, save, printed } = await watching();
    mkdirSync(join(schemas, "b", "c"), { recursive: true });
    save("b/c/third.wire", FIRST.replaceAll("first", "third"));
    await printed("3 files");
    // In the new folder too.
    save("b/c/third.wire", FIRST.replaceAll("first", "third").replace("le16", "le64"));
    await printed("1 written");
    expect(generated("b/c/third.ts")).toContain("x: bigint");
    renameSync(join(schemas, "b", "c"), join(schemas, "d"));
    expect(await printed("1 removed")).toContain("1 written, 1 removed");
    expect(existsSync(join(out, "b/c/third.ts"))).toBe(false);
    expect(generated("d/third.ts")).toContain("decodeThird");
    rmSync(join(schemas, "first.wire"));
    expect(await printed("1 error")).toContain("a/second.wire:3:8: error: there is no module `first`");
    rmSync(join(schemas, "a"), { recursive: true });
    expect(await printed("1 files")).toContain("2 removed");
  });

  it("waits for schemas when there are none left, and ends when their folder is gone", async () => {
    const { schemas, save, printed, ended } = await watching();
    rmSync(join(schemas, "a"), { recursive: true });
    await printed("1 files");
    rmSync(join(schemas, "first.wire"));
    await printed("no schema");
    save("first.wire", FIRST);
    await printed("1 files");
    rmSync(schemas, { recursive: true });
    expect(await ended).toEqual({ code: 2, err: expect.stringContaining("no such file or directory") });
  });

  it("does not go round in circles when it writes between the schemas", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "first.wire"), FIRST);
    let err = "";
    const { code } = await virtwire(["gen", folder, "--out", folder, "--target", "ts", "--watch"], {
      err: (text) => {
        err += text;
      },
      interrupted: () => new Promise((resolve) => setTimeout(resolve, 300)),
    });
    expect([code, err.match(/written/g)]).toEqual([0, ["written"]]);
  });

  it("refuses --check beside it", async () => {
    const { code, err } = await virtwire(["gen", "--out", "x", "--target", "ts", "--check", "--watch"]);
    expect([code, err]).toEqual([2, expect.stringContaining("--check and --watch")]);
  });

  it.each(["SIGINT", "SIGTERM"] as const)("ends with 0 at %s", async (signal) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "first.wire"), FIRST);
    const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
    const argv = ["gen", folder, "--out", join(folder, "out"), "--target", "ts", "--watch"];
    const child = spawn(process.execPath, ["--import", "tsx", main, ...argv], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    const ended = new Promise((resolve) => child.on("exit", (code, by) => resolve([code, by])));
    await new Promise((resolve) => child.stderr.once("data", resolve));
    child.kill(signal);
    expect(await ended).toEqual([0, null]);
  });
});
