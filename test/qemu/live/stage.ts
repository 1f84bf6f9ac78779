/** A folder and everything that runs in it: back-ends, guests, and what stands between them. All of it ends together. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Program } from "../programs.js";
import { BackEnd } from "./back-end.js";
import type { GuestImage } from "./guest-image.js";
import { LinuxGuest, type LinuxMachine } from "./linux-guest.js";
import { Meddler, type Meddling } from "./meddler.js";

export class Stage {
  readonly folder: string = mkdtempSync(join(tmpdir(), "virtwire-"));
  private readonly program: Program;
  private readonly image: GuestImage;
  private readonly ending: (() => void | Promise<void>)[] = [];

  constructor(program: Program, image: GuestImage) {
    this.program = program;
    this.image = image;
  }

  /** Where something of this name lies. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** A disk of zeroes. */
  blankDisk(name: string, mebibytes: number): string {
    writeFileSync(this.path(name), new Uint8Array(mebibytes << 20));
    return this.path(name);
  }

  /** Listens at the paths `names`, a device each. The options are those of `virtwire serve`. */
  async backEnd(names: string | readonly string[], ...options: readonly string[]): Promise<BackEnd> {
    const backEnd = await BackEnd.start(
      [names].flat().map((name) => this.path(name)),
      options,
    );
    this.ending.push(() => backEnd[Symbol.asyncDispose]());
    return backEnd;
  }

  async meddler(name: string, to: string, meddling: Meddling): Promise<Meddler> {
    const meddler = await Meddler.start(this.path(name), this.path(to), meddling);
    this.ending.push(() => meddler[Symbol.dispose]());
    return meddler;
  }

  /** Booted, unless it waits for a migration. */
  async guest(machine: Omit<LinuxMachine, "folder" | "program" | "image">): Promise<LinuxGuest> {
    const { folder, program, image } = this;
    const guest = await LinuxGuest.start({ ...machine, folder, program, image });
    this.ending.push(() => guest[Symbol.asyncDispose]());
    return guest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.ending.splice(0).reverse()) await end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
