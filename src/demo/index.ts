/** The demonstration behind `virtwire demo`: two hosts in this process, a guest under load, and a socket between them. */

export type { Recorder } from "./connection.js";
export { FORMATS, type Format } from "./host.js";
export { type DemoResult, type MemberState, migrateDemo } from "./migrate.js";
