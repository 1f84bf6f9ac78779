import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../src/transfer/address.js";

describe("addresses of migrations", () => {
  it("are paths, as they are or as QEMU writes them", () => {
    expect(parseAddress("vm.sock")).toEqual({ path: "vm.sock" });
    expect(parseAddress("unix:run/vm.sock")).toEqual({ path: "run/vm.sock" });
    expect(parseAddress("unix:tcp:x")).toEqual({ path: "tcp:x" });
  });

  it("are hosts with ports", () => {
    expect(parseAddress("tcp:localhost:4444")).toEqual({ host: "localhost", port: 4444 });
    expect(parseAddress("tcp::4444")).toEqual({ host: "localhost", port: 4444 });
    expect(parseAddress("tcp:[::1]:4444")).toEqual({ host: "::1", port: 4444 });
  });

  it("are written as QEMU takes them", () => {
    for (const text of ["unix:a b", "tcp:10.0.0.1:1", "tcp:[fe80::1]:65535"]) {
      const address = parseAddress(text);
      expect(address && formatAddress(address)).toBe(text);
    }
  });

  it("are nothing else", () => {
    for (const text of ["", "unix:", "tcp:", "tcp:4444", "tcp:a:b", "tcp:a:65536", "tcp:::1:4444"])
      expect(parseAddress(text), text).toBeUndefined();
  });
});
