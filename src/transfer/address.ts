/** Where the other side of a migration is: the addresses that QEMU's `-incoming` and `migrate` take, and plain paths. */
import type { NetConnectOpts } from "node:net";

export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** `PATH`, `unix:PATH` or `tcp:HOST:PORT`. Undefined: none of them. */
export function parseAddress(text: string): Address | undefined {
  if (!text.startsWith("tcp:")) {
    const path = text.startsWith("unix:") ? text.slice("unix:".length) : text;
    return path === "" ? undefined : { path };
  }
  const found = /^tcp:(?:\[([\da-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (found === null) return undefined;
  const port = Number(found[3]);
  const host = found[1] ?? found[2] ?? "";
  return port > 65_535 ? undefined : { host: host === "" ? "localhost" : host, port };
}

export function formatAddress(address: Address): string {
  if ("path" in address) return `unix:${address.path}`;
  const { host, port } = address;
  return `tcp:${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** As `net.connect` and `server.listen` take it. */
export function socketOptions(address: Address): NetConnectOpts {
  return "path" in address ? { path: address.path } : { host: address.host, port: address.port };
}
