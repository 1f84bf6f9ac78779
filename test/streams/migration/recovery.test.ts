/** A postcopy migration whose connection breaks, and is taken up again: wherever it breaks, all of the memory arrives. */
import { describe, expect, it } from "vitest";
import { detectKind } from "../../../src/inspect/index.js";
import {
  isResumedMain,
  MigrationDestination,
  PageReader,
  RamImageBuilder,
} from "../../../src/streams/index.js";
import { pong, receivedBitmap, requestPages, resumeAck } from "../qemu/return-path-bytes.js";
import { command, EOF, end, PAGE, page, part, precopy, RAM_EOS, str8 } from "../qemu/stream-bytes.js";
import { bytes, le } from "../wire-bytes.js";
import { AFTER, BEFORE } from "./postcopy-bytes.js";

/** @source QEMU 10.0.2, migration/savevm.c, qemu_savevm_send_recv_bitmap, qemu_savevm_send_postcopy_resume */
const RESUME = command(9);
const recvBitmap = (block: string): number[] => command(10, str8(block));
const OPEN_RETURN_PATH = command(1);

function bitmapMessage(bits: number): number[] {
  return receivedBitmap("pc.ram", le(8, bits));
}

/** What each page holds in the end. */
const CONTENTS = [1, 0, 7, 3, 0, 5];
const BROKEN = bytes(...AFTER);

function destination(): { to: MigrationDestination; said: number[] } {
  const said: number[] = [];
  return { to: new MigrationDestination({ reply: (message) => said.push(...message) }), said };
}

/** What the source sends on the new connection: every page that the bitmap does not have. */
function resumed(bits: number): Uint8Array {
  const pages = CONTENTS.flatMap((byte, i) => ((bits >> i) & 1 ? [] : [page(i * PAGE, "pc.ram", byte)]));
  return bytes(
    OPEN_RETURN_PATH,
    recvBitmap("pc.ram"),
    RESUME,
    part(0, [...pages.flat(), ...RAM_EOS]),
    end(0, RAM_EOS),
    EOF,
  );
}

describe("a postcopy migration that is taken up again", () => {
  it("says which pages are there, asks for the others anew, and completes", () => {
    const { to, said } = destination();
    to.push(bytes(...BEFORE));
    // Page 5 has come whole, page 2 in part.
    const twoPages = part(0, [...page(5 * PAGE, "pc.ram", 5), ...page(2 * PAGE, undefined, 7)]);
    to.push(bytes(twoPages.slice(0, -9)));
    said.length = 0;
    expect(to.lost()).toBe(true);
    expect(to.status.state).toBe("postcopy-paused");
    to.reconnected();
    expect(to.status.state).toBe("postcopy-recover");
    to.push(bytes(OPEN_RETURN_PATH, recvBitmap("pc.ram")));
    const bits = 0b101011;
    expect(said).toEqual(bitmapMessage(bits));
    to.push(bytes(RESUME));
    expect(to.status.state).toBe("postcopy-active");
    expect(said.slice(bitmapMessage(bits).length)).toEqual([
      ...resumeAck(),
      ...requestPages(4 * PAGE, PAGE, "pc.ram"),
      ...requestPages(2 * PAGE, PAGE),
    ]);
    to.push(resumed(bits).subarray(bytes(OPEN_RETURN_PATH, recvBitmap("pc.ram"), RESUME).length));
    expect([to.over, to.share, to.finish(), to.faults]).toEqual([true, 1, true, []]);
  });

  it("brings all of the memory wherever it breaks, and the two streams together hold it", () => {
    let taken = 0;
    for (let cut = 1; cut < BROKEN.length; cut += cut < PAGE ? 97 : 61) {
      const { to, said } = destination();
      const first = bytes(...BEFORE, BROKEN.subarray(0, cut));
      to.push(first);
      if (to.over) break;
      // The parser looks a little ahead before it takes the last record of the package for one.
      if (to.postcopy.state === "LISTENING") {
        expect(to.lost()).toBe(false);
        continue;
      }
      taken++;
      expect(to.lost(), `cut at ${cut}`).toBe(true);
      to.reconnected();
      said.length = 0;
      to.push(bytes(OPEN_RETURN_PATH, recvBitmap("pc.ram")));
      const bits = said[bitmapMessage(0).length - 16] ?? 0;
      const second = resumed(bits);
      to.push(second.subarray(bytes(OPEN_RETURN_PATH, recvBitmap("pc.ram")).length));
      expect([to.share, to.finish(), to.faults], `cut at ${cut}`).toEqual([1, true, []]);
      expect(contentsOf([first, second]), `cut at ${cut}`).toEqual(CONTENTS);
    }
    expect(taken).toBeGreaterThan(50);
  });

  it("cannot be taken up before the guest runs, nor when it is over", () => {
    const { to } = destination();
    expect(to.lost()).toBe(false);
    to.push(bytes(...BEFORE.slice(0, -1)));
    expect(to.lost()).toBe(false);
    const whole = destination().to;
    whole.push(bytes(...BEFORE, ...AFTER));
    expect(whole.lost()).toBe(false);
    expect(whole.finish()).toBe(true);
  });

  it("sends no bitmap of a block that it does not know, and is not whole then", () => {
    const { to, said } = destination();
    to.push(bytes(...BEFORE, BROKEN.subarray(0, PAGE)));
    expect(to.lost()).toBe(true);
    to.reconnected();
    said.length = 0;
    to.push(bytes(recvBitmap("vga.vram")));
    expect(said).toEqual([]);
    expect(to.faults.map(({ detail }) => detail)).toEqual([
      expect.stringContaining('the pages of "vga.vram" are not counted'),
    ]);
    expect(to.finish()).toBe(false);
  });

  it("is told from other captures by its first commands", () => {
    expect(isResumedMain(resumed(0))).toBe(true);
    expect(isResumedMain(bytes(recvBitmap("pc.ram")))).toBe(true);
    for (const other of [precopy(), bytes(pong(1)), bytes(OPEN_RETURN_PATH, RESUME), new Uint8Array(0)])
      expect(isResumedMain(other)).toBe(false);
    expect(detectKind(resumed(0))).toEqual({ kind: "qemu-resumed" });
  });
});

/** The first byte of each page. */
function contentsOf(inputs: readonly Uint8Array[]): number[] {
  const builder = new RamImageBuilder({
    channels: false,
    description: undefined,
    pageSize: PAGE,
    onFault: (fault) => {
      throw new Error(`${fault.path}: ${fault.detail ?? fault.code}`);
    },
  });
  inputs.forEach((input, i) => {
    const goesOn = i < inputs.length - 1;
    const target = i === 0 ? builder.main(0, goesOn) : builder.resumed(i, goesOn);
    target.push(input);
    target.end();
  });
  const reader = new PageReader(builder.image, 0, (input, at, size) =>
    (inputs[input] ?? new Uint8Array(0)).subarray(at, at + size),
  );
  return CONTENTS.map((_, i) => {
    const content = reader.read(builder.image.codeOf("pc.ram", i), PAGE);
    if (content.kind === "zero") return 0;
    expect(content.kind, `page ${i}`).toBe("bytes");
    return content.kind === "bytes" ? (content.bytes[PAGE - 1] ?? -1) : -1;
  });
}
