/** Finds the verb of a command line, runs it, and turns what happens into an exit code. */
import { createRequire } from "node:module";
import { stripVTControlCharacters } from "node:util";
import { overviewText } from "./help.js";
import { EXIT, type Io, UsageError } from "./io.js";
import { systemErrorText } from "./system-error.js";
import type { Verb } from "./verb.js";

interface Entry {
  /** What it is for: verbs of one group stand together. */
  readonly group: string;
  readonly about: string;
  /** Only the verb that runs is loaded: the schema compiler takes longer to start than an inspection to finish. */
  readonly load: (io: Io) => Promise<Verb>;
}

const VERBS: Readonly<Record<string, Entry>> = {
  explain: {
    group: "A migration has failed",
    about: "Say what the error messages of a failed migration mean, and where to look.",
    load: async (io) => (await import("./explain.js")).explainVerb(io),
  },
  inspect: {
    group: "A migration has failed",
    about: "Explain a captured stream: which byte, which field, which meaning.",
    load: async (io) => (await import("./inspect.js")).inspectVerb(io),
  },
  get: {
    group: "A migration has failed",
    about: "Print the values that paths name.",
    load: async (io) => (await import("./get.js")).getVerb(io),
  },
  hex: {
    group: "A migration has failed",
    about: "Show bytes beside the fields that they belong to.",
    load: async (io) => (await import("./hex.js")).hexVerb(io),
  },
  diff: {
    group: "A migration has failed",
    about: "Compare two captures by section and field.",
    load: async (io) => (await import("./diff/index.js")).diffVerb(io),
  },
  features: {
    group: "A migration has failed",
    about: "Name the bits of a mask of features, or what differs between two.",
    load: async (io) => (await import("./features.js")).featuresVerb(io),
  },
  receive: {
    group: "Migrations of a real QEMU",
    about: "Take a live migration off a real QEMU, as its destination, and keep every channel in a file.",
    load: async (io) => (await import("./receive.js")).receiveVerb(io),
  },
  send: {
    group: "Migrations of a real QEMU",
    about: "Play a migration stream into a QEMU that waits for one.",
    load: async (io) => (await import("./send.js")).sendVerb(io),
  },
  ram: {
    group: "Migrations of a real QEMU",
    about: "List, extract or read the guest's memory from the streams of a migration.",
    load: async (io) => (await import("./ram/index.js")).ramVerb(io),
  },
  rings: {
    group: "Migrations of a real QEMU",
    about: "Show the virtqueues of devices: indices, and buffers in flight, out of the guest's memory.",
    load: async (io) => (await import("./rings.js")).ringsVerb(io),
  },
  edit: {
    group: "Migrations of a real QEMU",
    about: "Write a migration stream anew, with other values or without some sections.",
    load: async (io) => (await import("./edit.js")).editVerb(io),
  },
  convert: {
    group: "Migrations of a real QEMU",
    about: "Bring a device's state from one format of migration into another, and say what is lost.",
    load: async (io) => (await import("./convert/index.js")).convertVerb(io),
  },
  check: {
    group: "vhost-user",
    about: "Hold a vhost-user conversation to the rules of its specification.",
    load: async (io) => (await import("./check.js")).checkVerb(io),
  },
  tap: {
    group: "vhost-user",
    about: "Record a vhost-user conversation between a front-end and a back-end.",
    load: async (io) => (await import("./tap.js")).tapVerb(io),
  },
  serve: {
    group: "vhost-user",
    about: "Be a network or block device for a real QEMU, over vhost-user.",
    load: async (io) => (await import("./serve/index.js")).serveVerb(io),
  },
  gen: {
    group: "Schemas",
    about: "Generate codecs from schemas.",
    load: async (io) => (await import("./gen.js")).genVerb(io),
  },
  compat: {
    group: "Schemas",
    about: "Compare two versions of a schema: whom does each change break?",
    load: async (io) => (await import("./compat.js")).compatVerb(io),
  },
  demo: {
    group: "To see a live migration",
    about: "Show a live migration: a guest under load moves between two hosts of the reference device.",
    load: async (io) => (await import("./demo.js")).demoVerb(io),
  },
};

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--version") {
    io.out(`${version()}\n`);
    return EXIT.ok;
  }
  // `virtwire help inspect` is what other commands have taught people to type.
  if (name === "help" && rest.length > 0) return run([...rest, "--help"], io);
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    (name === undefined ? io.err : io.out)(overviewText(Object.entries(VERBS), widthOf(io)));
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  const chosen = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  try {
    if (chosen === undefined) throw new UsageError(`unknown command ${JSON.stringify(name)}`);
    const verb = await chosen.load(io);
    if (rest.includes("--help") || rest.includes("-h")) {
      io.out(verb.help(chosen.about, widthOf(io)));
      return EXIT.ok;
    }
    return await verb.run([...rest]);
  } catch (error) {
    return explainError(error, chosen === undefined ? "virtwire" : `virtwire ${name}`, io);
  }
}

function explainError(error: unknown, command: string, io: Io): number {
  // citty's own error class is not exported.
  if (error instanceof UsageError || (error instanceof Error && error.name === "CLIError")) {
    io.err(`${plain(error.message)} (see ${command} --help)\n`);
    return EXIT.usage;
  }
  const refused = systemErrorText(error);
  if (refused !== undefined) {
    io.err(`${refused}\n`);
    return EXIT.usage;
  }
  io.err(`internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.internal;
}

/** Where there is no terminal, as most are wide; and no wider than one likes to read. */
function widthOf(io: Io): number {
  return Math.min((io.outIsTerminal ? io.columns() : undefined) ?? 80, 100);
}

/** citty colours by its own rules, terminal or not. */
function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/ +$/gm, "");
}

/** Asked for by the package's own name, which is the same from the sources and from the bundle. */
function version(): string {
  const manifest: { readonly version: string } = createRequire(import.meta.url)("virtwire/package.json");
  return manifest.version;
}
