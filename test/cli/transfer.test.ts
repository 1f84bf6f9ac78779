import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { AFTER, BEFORE } from "../streams/migration/postcopy-bytes.js";
import { pong, receivedBitmap, resumeAck, shut } from "../streams/qemu/return-path-bytes.js";
import {
  command,
  EOF,
  end,
  PAGE,
  page,
  precopy,
  RAM_EOS,
  str8,
  zeroPage,
} from "../streams/qemu/stream-bytes.js";
import { bytes } from "../streams/wire-bytes.js";
import { type Ran, temporaryFolder, virtwire } from "./harness.js";

const RETURN_PATH = fileURLToPath(new URL("../captures/x86-q35-return-path.bin", import.meta.url));
const ANSWERED = fileURLToPath(new URL("../captures/x86-q35-return-path.return.bin", import.meta.url));
const PRECOPY = fileURLToPath(new URL("../captures/x86-q35-net-blk.bin", import.meta.url));

const never = (): Promise<void> => new Promise(() => {});

/** Starts `receive`, and resolves once it listens. */
async function receiving(
  folder: string,
  interrupted: () => Promise<void> = never,
  options: readonly string[] = [],
): Promise<{ readonly socket: string; readonly file: string; readonly ran: Promise<Ran> }> {
  const socket = join(folder, "vm.sock");
  const file = join(folder, "vm.mig");
  let listening: () => void = () => {};
  const listens = new Promise<void>((resolve) => {
    listening = resolve;
  });
  let err = "";
  const ran = virtwire(["receive", "--listen", socket, "-o", file, ...options], {
    errIsTerminal: true,
    err: (text) => {
      err += text;
      if (err.includes("listening")) listening();
    },
    interrupted,
  }).then((result) => ({ ...result, err: withoutProgress(err).replace(/^listening.*\n/, "") }));
  await Promise.race([listens, ran]);
  return { socket, file, ran };
}

/** A slow machine shows lines of progress, which a fast one has no time for: each begins anew, and is erased. */
function withoutProgress(text: string): string {
  const erased = text.lastIndexOf("\u001b[K");
  return erased < 0 ? text : text.slice(erased + "\u001b[K".length);
}

function connectTo(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    socket.once("connect", () => resolve(socket)).once("error", reject);
  });
}

/** Everything that the other side says until it closes. */
async function heard(socket: Socket): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of socket) chunks.push(chunk as Uint8Array);
  return bytes(...chunks);
}

/** A QEMU that waits for a stream, as far as `send` can see: says what it is told to after so many bytes, and closes. */
async function incoming(
  after: number,
  answer: readonly number[],
): Promise<{ path: string; got: Promise<number> }> {
  const path = join(temporaryFolder(), "incoming.sock");
  let count = 0;
  let resolveGot: (count: number) => void = () => {};
  const got = new Promise<number>((resolve) => {
    resolveGot = resolve;
  });
  const server = createServer((socket) => {
    socket.on("data", (chunk) => {
      count += chunk.length;
      if (count < after) return;
      socket.end(Uint8Array.from(answer));
      socket.destroySoon();
      server.close();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolveGot(count));
  });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return { path, got };
}

describe("virtwire receive", () => {
  it("keeps what a source sends and what it is answered, byte for byte", async () => {
    const { socket, file, ran } = await receiving(temporaryFolder());
    const sent = await virtwire(["send", RETURN_PATH, "--to", socket]);
    expect(await ran).toEqual({
      code: 0,
      err: "",
      out: `${file}: main channel, 1,300,003 bytes\n${file}.return: return path, 16 bytes\n`,
    });
    expect(sent).toEqual({
      code: 0,
      err: "",
      out: `${RETURN_PATH} to unix:${socket}: 1,300,003 bytes\nreturn path: MIG_RP_MSG_PONG, MIG_RP_MSG_SHUT\nthe destination has loaded it\n`,
    });
    expect(readFileSync(file).equals(readFileSync(RETURN_PATH))).toBe(true);
    expect(readFileSync(`${file}.return`).equals(readFileSync(ANSWERED))).toBe(true);
    expect(existsSync(socket)).toBe(false);
  });

  it("takes a stream without a return path, and the channels beside it", async () => {
    const folder = temporaryFolder();
    const channels = ["one", "two"].map((name) => join(folder, name));
    for (const [index, path] of channels.entries())
      writeFileSync(path, Uint8Array.from([0x11, 0x22, 0x33, 0x44, 0, 0, 0, index]));
    const { socket, file, ran } = await receiving(folder);
    const sent = await virtwire([
      "send",
      PRECOPY,
      "--channels",
      channels.join(","),
      "--to",
      `unix:${socket}`,
    ]);
    expect([sent.code, sent.err]).toEqual([0, ""]);
    expect(sent.out).toMatch(/only the destination knows/);
    const { code, out, err } = await ran;
    expect([code, err]).toEqual([0, ""]);
    expect(out).toBe(
      `${file}: main channel, 1,111,835 bytes\n${file}.ch1: multifd channel, 8 bytes\n${file}.ch2: multifd channel, 8 bytes\n`,
    );
    expect(readFileSync(file).equals(readFileSync(PRECOPY))).toBe(true);
    expect([...readFileSync(`${file}.ch2`)]).toEqual([0x11, 0x22, 0x33, 0x44, 0, 0, 0, 1]);
  });

  it("goes through postcopy, with the channel of preemption", async () => {
    const folder = temporaryFolder();
    const { file, ran, socket } = await receiving(folder);
    const main = join(folder, "main");
    const preempt = join(folder, "preempt");
    writeFileSync(main, bytes(...BEFORE, ...AFTER));
    writeFileSync(preempt, bytes(page(2 * PAGE, "pc.ram", 9), RAM_EOS));
    const sent = await virtwire(["send", main, "--channels", preempt, "--to", socket]);
    expect([sent.code, sent.err]).toEqual([0, ""]);
    const { code, out, err } = await ran;
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(
      `${file}.ch1: postcopy-preempt channel, ${readFileSync(preempt).length.toLocaleString("en-US")} bytes\n`,
    );
    expect(out).toMatch(/postcopy, \d page requests sent\n$/);
  });

  it("waits, with --recover, for a source whose connection broke in postcopy", async () => {
    const folder = temporaryFolder();
    const { file, ran, socket } = await receiving(folder, never, ["--recover"]);
    const source = await connectTo(socket);
    source.resume();
    const [pages = []] = AFTER;
    const sent = bytes(...BEFORE, pages.slice(0, -100));
    source.end(sent);
    const again = await connectTo(socket);
    const rest = [...page(2 * PAGE, "pc.ram", 7), ...zeroPage(4 * PAGE, undefined), ...RAM_EOS];
    const resumed = bytes(command(10, str8("pc.ram")), command(9), end(0, rest), EOF);
    again.write(resumed);
    const said = await heard(again);
    // Pages 0, 1, 3 and 5 were there.
    const bitmap = receivedBitmap("pc.ram", [0b101011, 0, 0, 0, 0, 0, 0, 0]);
    expect([...said.subarray(0, bitmap.length + resumeAck().length)]).toEqual([...bitmap, ...resumeAck()]);
    expect([...said.subarray(-8)]).toEqual(shut(0));
    const { code, out, err } = await ran;
    expect(code).toBe(0);
    expect(err).toContain("waiting for the source to connect again");
    const size = resumed.length.toLocaleString("en-US");
    expect(out).toContain(`${file}.resumed1: main channel, after the break, ${size} bytes\n`);
    expect([...readFileSync(file)]).toEqual([...sent]);
    expect([...readFileSync(`${file}.resumed1`)]).toEqual([...resumed]);
    const memory = join(folder, "memory");
    const run = await virtwire([
      "ram",
      "extract",
      file,
      `${file}.resumed1`,
      "--block",
      "pc.ram",
      "-o",
      memory,
    ]);
    expect([run.code, run.err]).toEqual([0, ""]);
    expect([0, 1, 2, 3, 4, 5].map((i) => readFileSync(memory)[(i + 1) * PAGE - 1])).toEqual([
      1, 0, 7, 3, 0, 5,
    ]);
  });

  it("tells a source that waits without a description that all is there", { timeout: 20_000 }, async () => {
    const { ran, socket } = await receiving(temporaryFolder());
    const source = await connectTo(socket);
    const stream = readFileSync(RETURN_PATH);
    source.write(stream.subarray(0, stream.lastIndexOf('{"configuration"') - 5));
    expect([...(await heard(source))]).toEqual([...pong(1), ...shut(0)]);
    expect((await ran).code).toBe(0);
  });

  it("gives 4 for a stream that breaks off, and says where", async () => {
    const { ran, socket, file } = await receiving(temporaryFolder());
    const source = await connectTo(socket);
    source.end(precopy().subarray(0, 200));
    expect([...(await heard(source))]).toEqual([...pong(1), ...shut(1)]);
    const { code, err } = await ran;
    expect(code).toBe(4);
    expect(err).toMatch(/^.*vm\.mig:0x7b: ram\.page data: truncated: needs 4096 bytes, has 77\n$/);
    expect(readFileSync(file).length).toBe(200);
  });

  it("ends when interrupted, and keeps what came", async () => {
    let interrupt: () => void = () => {};
    const interrupted = new Promise<void>((resolve) => {
      interrupt = resolve;
    });
    const { ran, socket, file } = await receiving(temporaryFolder(), () => interrupted);
    const source = await connectTo(socket);
    source.write(precopy().subarray(0, 200));
    const answers = heard(source);
    while (!existsSync(`${file}.return`)) await new Promise((resolve) => setTimeout(resolve, 10));
    interrupt();
    expect([...(await answers)]).toEqual([...pong(1), ...shut(1)]);
    expect((await ran).code).toBe(4);
    expect(readFileSync(file).length).toBe(200);
  });

  it("overwrites nothing, and takes no address that is none", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "vm.mig");
    writeFileSync(file, "mine");
    const taken = await virtwire(["receive", "--listen", join(folder, "s"), "-o", file], {
      interrupted: never,
    });
    expect([taken.code, taken.err]).toEqual([
      2,
      `${file} exists, and is not overwritten (see virtwire receive --help)\n`,
    ]);
    expect(readFileSync(file, "utf8")).toBe("mine");
    const nowhere = await virtwire(["receive", "--listen", "tcp:4444", "-o", join(folder, "other")]);
    expect([nowhere.code, existsSync(join(folder, "other"))]).toEqual([2, false]);
  });

  it("leaves no file behind where it cannot listen", async () => {
    const folder = temporaryFolder();
    const result = await virtwire(
      ["receive", "--listen", join(folder, "none", "s"), "-o", join(folder, "vm.mig")],
      { interrupted: never },
    );
    expect(result.code).toBe(2);
    expect(existsSync(join(folder, "vm.mig"))).toBe(false);
  });
});

describe("virtwire send", () => {
  it("gives 1 when the destination says that it cannot load the stream", async () => {
    const { path } = await incoming(1_300_003, shut(1));
    const { code, out, err } = await virtwire(["send", RETURN_PATH, "--to", path]);
    expect([code, err]).toEqual([
      1,
      "the destination reports that it cannot load it: its standard error says why\n",
    ]);
    expect(out).toContain("return path: MIG_RP_MSG_SHUT\n");
  });

  it("gives 1 when the destination hangs up", async () => {
    const { path, got } = await incoming(1, []);
    const { code, err } = await virtwire(["send", RETURN_PATH, "--to", path]);
    expect([code, err]).toEqual([1, "the destination closed the connection: its standard error says why\n"]);
    expect(await got).toBeLessThan(1_300_003);
  });

  it("gives 2 when nobody listens, and for a file that is not there", async () => {
    const folder = temporaryFolder();
    const nobody = await virtwire(["send", RETURN_PATH, "--to", join(folder, "vm.sock")]);
    expect(nobody.code).toBe(2);
    expect(nobody.err).toMatch(/vm\.sock: no such file or directory\n$/);
    const { path } = await incoming(1, []);
    const nothing = await virtwire(["send", join(folder, "none"), "--to", path]);
    expect(nothing.code).toBe(2);
    expect(nothing.err).toMatch(/none: no such file or directory\n$/);
  });
});
