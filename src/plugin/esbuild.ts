/** `virtwire/plugin/esbuild`: generates codecs in builds by esbuild. */
import type { Plugin } from "esbuild";
import type { PluginOptions } from "./generation.js";
import { unplugin } from "./unplugin.js";

export type { PluginOptions };

export const virtwire: (options: PluginOptions) => Plugin = unplugin.esbuild;
