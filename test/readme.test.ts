/** README and docs/ tell the truth: output, numbers and code are what this version gives, links lead somewhere. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { insertTable, table } from "../bench/table.js";
import { virtwire } from "./cli/harness.js";

const README = new URL("../README.md", import.meta.url);
const DEMO = "test/captures/x86-q35-net-blk.bin";

async function inspectBlock(): Promise<string> {
  const { out } = await virtwire(["inspect", DEMO]);
  return `<!-- inspect:begin -->\n\`\`\`\n$ npm run demo\n${out.trimEnd()}\n\`\`\`\n<!-- inspect:end -->`;
}

it("shows the output of the demo", async () => {
  const readme = readFileSync(README, "utf8");
  const made = readme.replace(/<!-- inspect:begin -->[\s\S]*<!-- inspect:end -->/, await inspectBlock());
  if (process.env["VIRTWIRE_BLESS"]) writeFileSync(README, made);
  expect(readFileSync(README, "utf8")).toBe(made);
});

/**
 * QEMU 10.0.2 said it when the capture, without its sections of kvmclock and serial, was loaded into a machine with
 * -device virtio-net-pci,vectors=7.
 */
const FAILURE =
  "get_pci_config_device: Bad config data: i=0x9a read: 3 device: 6 cmask: ff wmask: 0 w1cmask:0";

it("shows a failed migration explained", async () => {
  const { out } = await virtwire(["explain", FAILURE, DEMO]);
  const command = `$ npx virtwire explain "${FAILURE}" \\\n    ${DEMO}`;
  const block = `<!-- explain:begin -->\n\`\`\`\n${command}\n${out.trimEnd()}\n\`\`\`\n<!-- explain:end -->`;
  const readme = readFileSync(README, "utf8");
  const made = readme.replace(/<!-- explain:begin -->[\s\S]*<!-- explain:end -->/, () => block);
  if (process.env["VIRTWIRE_BLESS"]) writeFileSync(README, made);
  expect(readFileSync(README, "utf8")).toBe(made);
});

it("runs the demo that it shows", () => {
  const { scripts } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    scripts: Record<string, string>;
  };
  expect(scripts["demo"]).toBe(`node --import tsx src/cli/main.ts inspect ${DEMO}`);
});

it("has the numbers of the last measured run", () => {
  const results = JSON.parse(readFileSync(new URL("../bench/results.json", import.meta.url), "utf8"));
  const readme = readFileSync(README, "utf8");
  expect(insertTable(readme, table(results))).toBe(readme);
});

it("has a row for every command", async () => {
  const readme = readFileSync(README, "utf8");
  const { out } = await virtwire(["--help"]);
  const verbs = [...out.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, verb]) => verb ?? "");
  expect(verbs.length).toBeGreaterThan(15);
  const rows = readme.split("\n").filter((line) => line.startsWith("| `"));
  expect(verbs.filter((verb) => !rows.some((row) => new RegExp(`^\\|[^|]*\`${verb}\\b`).test(row)))).toEqual(
    [],
  );
});

describe("what is written", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const pages = readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`);

  it.each(["README.md", ...pages])("leads somewhere: %s", (page) => {
    const text = readFileSync(join(root, page), "utf8");
    const broken = [...text.matchAll(/\]\((?!https?:)([^)#]*)(#[^)]*)?\)/g)].filter(
      ([, path = "", anchor]) => {
        const target = path === "" ? join(root, page) : join(root, dirname(page), path);
        if (!existsSync(target)) return true;
        return (
          target.endsWith(".md") &&
          anchor !== undefined &&
          !anchorsOf(readFileSync(target, "utf8")).includes(anchor)
        );
      },
    );
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  it("has an index of all pages", () => {
    const index = readFileSync(join(root, "docs/README.md"), "utf8");
    const missing = pages.filter(
      (page) => page !== "docs/README.md" && !index.includes(`](${basename(page)})`),
    );
    expect(missing).toEqual([]);
  });
});

/** As they are made of headings: lower case, without punctuation, hyphens for spaces. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(
    ([, heading = ""]) =>
      `#${heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, "")
        .replaceAll(" ", "-")}`,
  );
}

it("names only functions that exist", async () => {
  const readme = readFileSync(README, "utf8");
  const imports = [...readme.matchAll(/import \{ ([^}]+) \} from "virtwire\/([a-z-]+\/[a-z-]+)"/g)];
  expect(imports.length).toBeGreaterThan(0);
  for (const [, names, path] of imports) {
    const folder = path?.startsWith("plugin/") ? "src" : "generated";
    const file = new URL(`../${folder}/${path}.ts`, import.meta.url).href;
    const module: Record<string, unknown> = await import(/* @vite-ignore */ file);
    for (const name of names?.split(", ") ?? []) expect(module, `${name} of ${path}`).toHaveProperty(name);
  }
});
