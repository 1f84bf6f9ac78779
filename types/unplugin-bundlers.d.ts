/**
 * unplugin's declarations import those of every bundler that it knows. These stand in for the ones that are not installed:
 * the plugin has no part for them.
 */
declare module "@farmfe/core" {
  export type CompilationContext = object;
  export type JsPlugin = object;
}

declare module "@rsbuild/core" {
  export type RsbuildPlugin = object;
}

declare module "@rspack/core" {
  export type Compilation = object;
  export type Compiler = object;
  export type LoaderContext = object;
  export type RspackPluginInstance = object;
}

declare module "bun" {
  export type BunPlugin = object;
  export type Loader = string;
  export type PluginBuilder = object;
}

declare module "unloader" {
  export type Plugin = object;
}
