/** Error messages that migrations fail with: what they mean, what their values say, and where to look in the stream. */
export { type Capture, CaptureCollector } from "./capture.js";
export { type Explanation, explain, type Known } from "./explanation.js";
export { type Log, readLog, type Sighting } from "./log.js";
export type { Message, Place, Source } from "./message.js";
export { messages } from "./messages/index.js";
export { explanationsText } from "./text.js";
