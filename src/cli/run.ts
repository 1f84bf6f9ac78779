/** Finds the verb of a command line, runs it, and turns what happens into an exit code. */
import { createRequire } from "node:module";
import { stripVTControlCharacters } from "node:util";
import { EXIT, type Io, UsageError } from "./io.js";
import { systemErrorText } from "./system-error.js";
import type { Verb } from "./verb.js";

interface Entry {
  readonly about: string;
  readonly example: string;
  /** Only the verb that runs is loaded: the schema compiler takes longer to start than an inspection to finish. */
  readonly load: (io: Io) => Promise<Verb>;
}

const VERBS: Readonly<Record<string, Entry>> = {
  inspect: {
    about: "Explain a captured stream: which byte, which field, which meaning.",
    example: "virtwire inspect failed-migration.bin",
    load: async (io) => (await import("./inspect.js")).inspectVerb(io),
  },
  get: {
    about: "Print the values that paths name.",
    example: "virtwire get vm.mig 'sections[*virtio-net*].**'",
    load: async (io) => (await import("./get.js")).getVerb(io),
  },
  hex: {
    about: "Show bytes beside the fields that they belong to.",
    example: "virtwire hex vm.mig @0x81b78c8+64",
    load: async (io) => (await import("./hex.js")).hexVerb(io),
  },
  diff: {
    about: "Compare two captures by section and field.",
    example: "virtwire diff good.mig bad.mig --ignore '**.timer*'",
    load: async (io) => (await import("./diff.js")).diffVerb(io),
  },
  features: {
    about: "Name the bits of a mask of features, or what differs between two.",
    example: "virtwire features 0x1c0010130afffaf 0x10179bfffef",
    load: async (io) => (await import("./features.js")).featuresVerb(io),
  },
  check: {
    about: "Hold a vhost-user conversation to the rules of its specification.",
    example: "virtwire check vhost-user.jsonl",
    load: async (io) => (await import("./check.js")).checkVerb(io),
  },
  edit: {
    about: "Write a migration stream anew, with other values or without some sections.",
    example: "virtwire edit vm.mig --drop kvmclock -o tcg.mig",
    load: async (io) => (await import("./edit.js")).editVerb(io),
  },
  convert: {
    about: "Bring a device's state from one format of migration into another, and say what is lost.",
    example: "virtwire convert vm.mig --device 0000:00:02.0/virtio-net --to device-context -o net.ctx",
    load: async (io) => (await import("./convert/index.js")).convertVerb(io),
  },
  explain: {
    about: "Say what the error messages of a failed migration mean, and where to look.",
    example: 'virtwire explain "Unknown savevm section type 126" failed-migration.bin',
    load: async (io) => (await import("./explain.js")).explainVerb(io),
  },
  receive: {
    about: "Take a live migration off a real QEMU, as its destination, and keep every channel in a file.",
    example: "virtwire receive --listen unix:vm.sock -o vm.mig",
    load: async (io) => (await import("./receive.js")).receiveVerb(io),
  },
  send: {
    about: "Play a migration stream into a QEMU that waits for one.",
    example: "virtwire send vm.mig --to unix:vm.sock",
    load: async (io) => (await import("./send.js")).sendVerb(io),
  },
  ram: {
    about: "List, extract or read the guest's memory from the streams of a migration.",
    example: "virtwire ram extract vm.mig --block pc.ram -o memory.bin",
    load: async (io) => (await import("./ram/index.js")).ramVerb(io),
  },
  serve: {
    about: "Be a network or block device for a real QEMU, over vhost-user.",
    example: "virtwire serve --device net --socket net.sock",
    load: async (io) => (await import("./serve/index.js")).serveVerb(io),
  },
  tap: {
    about: "Record a vhost-user conversation between a front-end and a back-end.",
    example: "virtwire tap --listen tap.sock --connect vu.sock -o talk.pcapng",
    load: async (io) => (await import("./tap.js")).tapVerb(io),
  },
  demo: {
    about: "Show a live migration: a guest under load moves between two hosts of the reference device.",
    example: "virtwire demo migrate",
    load: async (io) => (await import("./demo.js")).demoVerb(io),
  },
  gen: {
    about: "Generate codecs from schemas.",
    example: "virtwire gen schemas --out generated --target ts",
    load: async (io) => (await import("./gen.js")).genVerb(io),
  },
  compat: {
    about: "Compare two versions of a schema: whom does each change break?",
    example: "virtwire compat old.wire new.wire",
    load: async (io) => (await import("./compat.js")).compatVerb(io),
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
    (name === undefined ? io.err : io.out)(overview());
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  const chosen = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  try {
    if (chosen === undefined) throw new UsageError(`unknown command ${JSON.stringify(name)}`);
    const verb = await chosen.load(io);
    if (rest.includes("--help") || rest.includes("-h")) {
      io.out(plain(await verb.help()));
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

function overview(): string {
  const width = Math.max(...Object.keys(VERBS).map((name) => name.length));
  const lines = Object.entries(VERBS).map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}`);
  const examples = Object.values(VERBS).map(({ example }) => `  ${example}`);
  return [
    "virtwire: the wire formats of virtio live migration",
    ["Commands:", ...lines].join("\n"),
    ["Examples:", ...examples].join("\n"),
    "virtwire COMMAND --help says more.\n",
  ].join("\n\n");
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
