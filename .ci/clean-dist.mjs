import { rmSync } from "node:fs";

// Stale files of an earlier build would be published along with this one.
rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
