/** Keeps what goes over a connection of the demonstration in two files, one for each direction. */
import { writeFileSync } from "node:fs";
import type { Recorder } from "../demo/index.js";
import { withOutput } from "./output.js";

/** `path` is for what the source sends, `path.answers` for what the destination answers. */
export function recorded<T>(path: string, use: (record: Recorder) => Promise<T>): Promise<T> {
  return withOutput(path, (source) =>
    withOutput(`${path}.answers`, (answers) =>
      use((from, bytes) => writeFileSync(from === "source" ? source : answers, bytes)),
    ),
  );
}
