/** Pages out of compressed channels. A channel is one compressed stream: for any page of it, all is unpacked. */
import { ChannelUnpacker } from "../../streams/index.js";
import type { Io } from "../io.js";
import { SaidFaults } from "./faults.js";
import type { GuestMemory } from "./memory.js";

/** Gives the pages of these codes (see RamImage) by their codes, as far as they can be unpacked. */
export async function unpackPages(
  memory: GuestMemory,
  wanted: ReadonlySet<number>,
  io: Io,
): Promise<Map<number, Uint8Array>> {
  const { image, inputs } = memory;
  const pages = new Map<number, Uint8Array>();
  const channels = new Set<number>();
  for (const code of wanted) {
    const place = image.locate(code);
    if (place.kind === "packed") channels.add(place.input);
  }
  for (const input of channels) {
    const said = new SaidFaults();
    const unpacker = new ChannelUnpacker({
      page: (ordinal, name, offset, bytes) => {
        const code = image.codeOf(name, Math.floor(offset / bytes.length));
        if (!wanted.has(code)) return;
        // A page may have come several times: the one that counts is that of the code.
        const place = image.locate(code);
        if (place.kind === "packed" && place.input === input && place.ordinal === ordinal) {
          pages.set(code, bytes.slice());
        }
      },
      fault: (fault) => said.add(inputs[input]?.name ?? "", fault),
    });
    await memory.feed(input, unpacker);
    said.say(io);
  }
  return pages;
}
