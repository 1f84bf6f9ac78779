import { openSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { systemErrorText } from "../../src/cli/system-error.js";

function thrown(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("what the system refuses", () => {
  it("is said of the file", () => {
    const error = thrown(() => openSync("/nowhere/at/all", "r"));
    expect(systemErrorText(error)).toBe("/nowhere/at/all: no such file or directory");
  });

  it("is said of the address, of a socket with a number and of one with a path", async () => {
    const heard = (emitter: { once(name: "error", listener: (error: Error) => void): unknown }) =>
      new Promise<Error>((resolve) => emitter.once("error", resolve));
    // Port 1 is nobody's.
    const refused = await heard(createConnection({ host: "127.0.0.1", port: 1 }));
    expect(systemErrorText(refused)).toBe("127.0.0.1:1: connection refused");
    expect(systemErrorText(new AggregateError([refused, refused], "all failed"))).toBe(
      "127.0.0.1:1: connection refused",
    );
    const unbound = await heard(createServer().listen({ path: "/nowhere/at/all.sock" }));
    expect(systemErrorText(unbound)).toMatch(/^\/nowhere\/at\/all\.sock: [a-z ]+$/);
  });

  it("is told from a mistake of ours", () => {
    expect(systemErrorText(new TypeError("x is undefined"))).toBeUndefined();
    expect(systemErrorText("text")).toBeUndefined();
  });
});
