/** `virtwire inspect` of several files: the channels of one migration, each by itself and then together. */
import { JsonLinesRenderer, JsonRenderer } from "../inspect/json.js";
import type { CaptureKind } from "../inspect/kinds.js";
import { MigrationCheck } from "../inspect/migration.js";
import type { Summary } from "../inspect/report.js";
import { TextRenderer } from "../inspect/text.js";
import type { StreamBefore } from "../streams/qemu/resumed.js";
import { afterBreaks } from "./breaks.js";
import { blame, type CaptureOptions, readCapture } from "./capture.js";
import { openInput } from "./input.js";
import { Batch, EXIT, type Io, wantsColour } from "./io.js";

type Renderer = TextRenderer | JsonRenderer | JsonLinesRenderer;

export async function inspectMigration(
  files: readonly string[],
  options: CaptureOptions,
  { format, snapshot }: { readonly format: string; readonly snapshot: string | undefined },
  verbosity: number,
  io: Io,
): Promise<number> {
  const batch = new Batch(io.out);
  const check = new MigrationCheck();
  const text = (name: string): TextRenderer => new TextRenderer({ colour: wantsColour(io), verbosity, name });
  const all =
    format === "json"
      ? new JsonRenderer(io.out)
      : format === "jsonl"
        ? new JsonLinesRenderer(io.out)
        : undefined;
  let unreadable = 0;
  const { ordered, resumed } = await afterBreaks(files, io, snapshot);
  let before: StreamBefore | undefined;
  for (const file of ordered) {
    const goesOn = resumed.includes(file);
    const known: CaptureOptions = {
      ...options,
      breaksOff: resumed.length > 0 && file !== resumed.at(-1),
      before: goesOn ? before : undefined,
      onHandOver: (told) => {
        before = told;
      },
    };
    const input = openInput(file, io, { snapshot });
    const renderer: Renderer = all ?? text(input.name);
    try {
      const open = (kind: CaptureKind) => check.open(file, kind, renderer);
      const summary = await readCapture(input, known, open, io);
      if (summary === undefined) {
        unreadable++;
        continue;
      }
      blame(input, summary, io);
      check.close(summary);
      if (renderer instanceof TextRenderer) {
        finish(renderer, summary, batch);
        batch.write("\n");
      } else if (renderer instanceof JsonLinesRenderer) renderer.finish(summary);
    } finally {
      input.close();
    }
  }
  const summary = check.end();
  finish(all ?? text("together"), summary, batch);
  batch.flush();
  return summary.faultCount === 0 && unreadable === 0 ? EXIT.ok : EXIT.malformed;
}

function finish(renderer: Renderer, summary: Summary, batch: Batch): void {
  if (renderer instanceof TextRenderer) renderer.finish(summary, batch.write);
  else renderer.finish(summary);
}
