/** A Linux guest in a real QEMU: booted or moved here, and asked to do things over its serial line. */
import { join } from "node:path";
import { Machine, within } from "../machine.js";
import type { Program } from "../programs.js";
import type { GuestImage } from "./guest-image.js";
import { SerialLine } from "./serial.js";

export interface LinuxMachine {
  /** Names its sockets: two machines can run in one folder. */
  readonly name: string;
  readonly folder: string;
  readonly program: Program;
  readonly image: GuestImage;
  /** In MiB. */
  readonly memory: number;
  readonly cpus: number;
  readonly devices: readonly string[];
  /** Waits for a migration, and does not go on by itself when that has come. */
  readonly incoming?: "paused" | "running";
}

/** Every request has its own number: a migrated guest may still hold the answer of one that was put to it before. */
let requests = 0;

export class LinuxGuest {
  readonly name: string;
  readonly qemu: Machine;
  /** In MiB. */
  readonly memory: number;
  private readonly console: SerialLine;
  private readonly agent: SerialLine;

  private constructor({ name, memory }: LinuxMachine, qemu: Machine, console: SerialLine, agent: SerialLine) {
    this.name = name;
    this.memory = memory;
    this.qemu = qemu;
    this.console = console;
    this.agent = agent;
  }

  static async start(machine: LinuxMachine): Promise<LinuxGuest> {
    const { program, folder, image, memory, cpus, incoming } = machine;
    const [console, agent] = [join(folder, `${machine.name}.console`), join(folder, `${machine.name}.agent`)];
    const lines = await Promise.all([SerialLine.listen(console), SerialLine.listen(agent)]);
    const args = [
      ...program.args,
      ...["-M", "q35,memory-backend=pc.ram", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", `${cpus}`],
      // A back-end maps the guest's memory, so it has to be a file. The name is that which libvirt gives it.
      ...["-m", `${memory}M`, "-object", `memory-backend-memfd,id=pc.ram,size=${memory}M,share=on`],
      ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ...["-serial", `unix:${console}`, "-serial", `unix:${agent}`],
      // On a busy machine, an emulated timer is not what the kernel expects of one, and it complains.
      ...["-kernel", image.kernel, "-initrd", image.initrd],
      ...["-append", "console=ttyS0 quiet panic=-1 no_timer_check"],
      ...machine.devices,
      ...(incoming === undefined ? [] : ["-incoming", "defer"]),
      ...(incoming === "paused" ? ["-S"] : []),
    ];
    const guest = new LinuxGuest(machine, await Machine.start(program.path, args, folder), ...lines);
    if (incoming === undefined) await guest.heard((text) => text.includes("ready\n") || undefined, "boot");
    return guest;
  }

  /** What the guest's kernel wrote on its console so far. */
  get kernelLog(): string {
    return this.console.text;
  }

  /** Runs a shell command in the guest, and gives what it wrote. Throws when its status is not 0. */
  async run(command: string): Promise<string> {
    const id = ++requests;
    this.agent.write(`${id} ${command}\n`);
    const end = new RegExp(`^${id}= (.*)\n`, "m");
    const [text, status] = await this.heard((all) => {
      const match = end.exec(all);
      return match === null ? undefined : ([all.slice(0, match.index), match[1]] as const);
    }, command);
    const prefix = `${id}| `;
    const said = text
      .split("\n")
      .flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
    if (status !== "0") throw new Error(`in the guest, ${command}: status ${status}\n${said.join("\n")}`);
    return said.join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.qemu[Symbol.asyncDispose]();
    this.console.close();
    this.agent.close();
  }

  private async heard<T>(find: (text: string) => T | undefined, what: string): Promise<T> {
    const wait = async (): Promise<T> => {
      for (;;) {
        const found = find(this.agent.text);
        if (found !== undefined) return found;
        if (this.agent.closed) throw new Error(`QEMU has exited: ${this.qemu.stderr}\n${this.kernelLog}`);
        await this.agent.more();
      }
    };
    try {
      return await within("the guest does not answer", wait());
    } catch (error) {
      throw new Error(`${what}: ${this.kernelLog}\n${this.agent.text}`, { cause: error });
    }
  }
}
