/**
 * The path of a value in a capture, e.g. `sections["0000:00:02.0/virtio-net"].virtio.queues[3].last_avail_idx`: what every
 * row prints and every verb takes. Names come from files: whatever they hold, their path is one line of printable
 * characters that reads back as the same path.
 */
import type { Node } from "./node.js";

/** `.name` or `["name"]`, `["name"#2]`; `[3]`. */
export type Step = NameStep | IndexStep;

export interface NameStep {
  readonly kind: "name";
  readonly name: string;
  /** Written in brackets even if the name is an identifier, as keys are. */
  readonly keyed: boolean;
  /** Which of several of that name: the instance id of a section, otherwise how many stand before it. 0 is not written. */
  readonly number: number;
  /** Where it stands among all that the brackets can choose from; another way to say which one is meant. */
  readonly position?: number;
}

export interface IndexStep {
  readonly kind: "index";
  readonly index: number;
}

export type Path = readonly Step[];

export function member(name: string): NameStep {
  return { kind: "name", name, keyed: false, number: 0 };
}

/** `commands[2]`: the element of a list of records. */
export function elementPath(list: string, index: number): Path {
  return [member(list), { kind: "index", index }];
}

/** `sections["serial"#1]`; `position`: how many sections begin before it. */
export function sectionPath(name: string, instanceId: number, position: number): Path {
  return [member("sections"), { kind: "name", name, keyed: true, number: instanceId, position }];
}

export function printPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (step.kind === "index") text += `[${step.index}]`;
    else if (step.keyed || step.number > 0 || !isIdentifier(step.name)) {
      text += `["${quote(step.name)}"${step.number === 0 ? "" : `#${step.number}`}]`;
    } else text += text === "" ? step.name : `.${step.name}`;
  }
  return text;
}

/** Whether a name can stand behind a dot. */
function isIdentifier(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name);
}

/** What stands between quotation marks. A star is quoted too: it stands for any characters otherwise. */
export function quote(name: string): string {
  let quoted = "";
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code === 0x22 || code === 0x5c || code === 0x2a) quoted += `\\${name[i]}`;
    else if (code < 0x100) quoted += isPlain(code) ? name[i] : `\\x${code.toString(16).padStart(2, "0")}`;
    else quoted += isOrderly(code) ? name[i] : `\\u${code.toString(16).padStart(4, "0")}`;
  }
  return quoted;
}

/** Neither a control character, nor one of the spaces and hyphens that do not look like themselves. */
function isPlain(code: number): boolean {
  return code >= 0x20 && !(code >= 0x7f && code <= 0xa0) && code !== 0xad;
}

/** Halves of characters, line separators, and marks that turn the direction of what follows would deceive a reader. */
function isOrderly(code: number): boolean {
  const half = code >= 0xd800 && code <= 0xdfff;
  const mark = code >= 0x200b && code <= 0x206f;
  return !half && !mark && code !== 0xfeff;
}

/** Gives each of some siblings the steps that lead to it from their parent. */
export class Siblings {
  private readonly parent: Node | undefined;
  private readonly counts = new Map<string, number>();

  constructor(parent: Node | undefined) {
    this.parent = parent;
  }

  steps(node: Node): Path {
    const { name, index } = node;
    if (index >= 0) {
      const element: Step = { kind: "index", index };
      return name === this.parent?.name ? [element] : [...stepsOfName(name, 0), element];
    }
    const number = this.counts.get(name) ?? 0;
    this.counts.set(name, number + 1);
    return stepsOfName(name, number);
  }
}

/** A name such as `env.regs` is one field for QEMU, and two steps for whoever reads it. */
function stepsOfName(name: string, number: number): Step[] {
  const words = name.split(".");
  return number === 0 && words.every(isIdentifier)
    ? words.map(member)
    : [{ kind: "name", name, keyed: false, number }];
}
