/** `virtwire/plugin/webpack`: generates codecs in builds by webpack. */
import type { WebpackPluginInstance } from "webpack";
import type { PluginOptions } from "./generation.js";
import { unplugin } from "./unplugin.js";

export type { PluginOptions };

export const virtwire: (options: PluginOptions) => WebpackPluginInstance = unplugin.webpack;
