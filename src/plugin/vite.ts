/** `virtwire/plugin/vite`: generates codecs in builds by vite. */
import type { Plugin } from "vite";
import type { PluginOptions } from "./generation.js";
import { unplugin } from "./unplugin.js";

export type { PluginOptions };

export const virtwire: (options: PluginOptions) => Plugin = unplugin.vite;
