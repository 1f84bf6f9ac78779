/** `virtwire/plugin/rollup`: generates codecs in builds by rollup. */
import type { Plugin } from "rollup";
import type { PluginOptions } from "./generation.js";
import { unplugin } from "./unplugin.js";

export type { PluginOptions };

export const virtwire: (options: PluginOptions) => Plugin = unplugin.rollup;
