/** One way in for all kinds of captures. */
import { ConversationInspection } from "./conversation/inspection.js";
import { CprInspection } from "./cpr.js";
import { DeviceContextInspection, DevicePartsInspection, VfioStreamInspection } from "./elements.js";
import { GuestAnswersInspection } from "./guest/answers.js";
import { GuestStreamInspection } from "./guest/source.js";
import type { CaptureInspection, InspectOptions } from "./inspection.js";
import type { CaptureKind } from "./kinds.js";
import { MultifdInspection } from "./multifd.js";
import { PreemptInspection } from "./preempt.js";
import { QemuInspection } from "./qemu/inspection.js";
import type { Sink } from "./report.js";
import { ReturnPathInspection } from "./return-path.js";

export function openInspection(kind: CaptureKind, sink: Sink, options: InspectOptions): CaptureInspection {
  switch (kind) {
    case "qemu-stream":
      return new QemuInspection(sink, options);
    case "qemu-resumed":
      return new QemuInspection(sink, options, true);
    case "qemu-return-path":
      return new ReturnPathInspection(sink, options);
    case "qemu-multifd":
      return new MultifdInspection(sink, options);
    case "qemu-preempt":
      return new PreemptInspection(sink, options);
    case "qemu-cpr":
      return new CprInspection(sink, options);
    case "device-context":
      return new DeviceContextInspection(sink, options);
    case "device-parts":
      return new DevicePartsInspection(sink, options);
    case "vfio-stream":
      return new VfioStreamInspection(sink, options);
    case "vhost-user":
      return new ConversationInspection(sink, options);
    case "guest-stream":
      return new GuestStreamInspection(sink, options);
    case "guest-answers":
      return new GuestAnswersInspection(sink, options);
  }
}
