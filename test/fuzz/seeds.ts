/** Where a fuzzer begins: small inputs of every target that are sound. */
import { readFileSync } from "node:fs";
import { AFTER, BEFORE } from "../streams/migration/postcopy-bytes.js";
import { precopy } from "../streams/qemu/stream-bytes.js";
import { bytes, deviceContext } from "../streams/wire-bytes.js";

function captured(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../captures/${name}`, import.meta.url)));
}

export const seeds: Readonly<Record<string, () => readonly Uint8Array[]>> = {
  "qemu-stream": () => [precopy(), bytes(...BEFORE, ...AFTER)],
  "vhost-user": () => [captured("vhost-user-qsd.jsonl"), captured("vhost-user-qsd.pcapng")],
  "device-context": () => [deviceContext().bytes],
};
