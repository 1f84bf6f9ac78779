/**
 * Tells when something below a folder changes. Every folder is watched by itself: Node's recursive mode is made of single
 * watches on Linux as well, and misses what is put into a new folder before its watch stands.
 */
import { type FSWatcher, readdirSync, watch } from "node:fs";
import { join } from "node:path";

/** Editors save in steps (truncate, write, rename), and a change of branch touches many files: all that is one change. */
const SETTLE_MS = 10;

export interface Watch {
  /** Resolves at the next change, at once when there was one since the last; to false when the watch has been closed. */
  readonly changed: () => Promise<boolean>;
  readonly close: () => void;
}

/** Throws when there is no such folder. That it vanishes later is a change. */
export function watchFolder(root: string): Watch {
  let watchers: readonly FSWatcher[] = watchAll(root, touched);
  if (watchers.length === 0) throw new Error(`${root} is no folder that can be watched`);
  let timer: NodeJS.Timeout | undefined;
  let pending = false;
  let closed = false;
  let wake: (() => void) | undefined;

  function touched(): void {
    if (!closed) timer ??= setTimeout(settle, SETTLE_MS);
  }

  function settle(): void {
    timer = undefined;
    pending = true;
    // Folders come, go, and are replaced by others of the same name, whose old watch stays silent. The new watches stand
    // before anybody is woken to read, so what they are too late for is read.
    const before = watchers;
    watchers = watchAll(root, touched);
    for (const watcher of before) watcher.close();
    wake?.();
  }

  return {
    changed: async () => {
      if (!pending && !closed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      pending = false;
      return !closed;
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
      wake?.();
    },
  };
}

function watchAll(root: string, touched: () => void): FSWatcher[] {
  return foldersBelow(root).flatMap((folder) => {
    try {
      // An error of a watch is that its folder has gone.
      return [watch(folder, touched).on("error", touched)];
    } catch (error) {
      // Gone since it was listed: the watch of the folder that held it tells.
      if (isMissing(error)) return [];
      throw error;
    }
  });
}

/** The folder itself included, whether it is there or not. */
function foldersBelow(root: string): string[] {
  const folders = [root];
  for (const folder of folders) {
    try {
      const entries = readdirSync(folder, { withFileTypes: true });
      folders.push(...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name)));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return folders;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
