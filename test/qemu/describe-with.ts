/**
 * Groups of tests that need what `npm install` does not bring. Without it they are skipped, and say so; with
 * VIRTWIRE_REQUIRE_QEMU they fail instead.
 */
import { describe, it } from "vitest";
import { type GuestImage, guestImage } from "./live/guest-image.js";
import { newerQemu, type Program } from "./programs.js";

const NO_QEMU = "this QEMU is not installed (.ci/install-qemu does it)";

/** A group of tests that needs this program. */
export function describeWith(
  name: string,
  program: Program | undefined,
  tests: (program: Program) => void,
): void {
  if (program === undefined) skip(name, NO_QEMU);
  else describe(name, () => tests(program));
}

/** A group of tests that may be left out anywhere, because what it needs cannot be had everywhere; that is said. */
export function describeIfThere(
  name: string,
  program: Program | undefined,
  missing: string,
  tests: (program: Program) => void,
): void {
  if (program === undefined) sayAndSkip(name, missing);
  else describe(name, () => tests(program));
}

/** A group of tests with Linux in a real QEMU. */
export function describeLive(name: string, tests: (program: Program, image: GuestImage) => void): void {
  const program = newerQemu("x86_64");
  const image = guestImage();
  if (program === undefined) skip(name, NO_QEMU);
  else if (typeof image === "string") skip(name, image);
  else describe(name, () => tests(program, image));
}

function skip(name: string, missing: string): void {
  if ((process.env["VIRTWIRE_REQUIRE_QEMU"] ?? "") !== "") throw new Error(`${name}: ${missing}`);
  sayAndSkip(name, missing);
}

function sayAndSkip(name: string, missing: string): void {
  process.stderr.write(`SKIPPED: ${name}: ${missing}\n`);
  describe.skipIf(true)(name, () => {
    it(missing, () => {});
  });
}
