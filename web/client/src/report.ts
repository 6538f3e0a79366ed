import type { EventOf } from './event.ts';
import type { State, Status } from './status.ts';

/** What a connection can report about itself. Where it goes is the application's business. */
export type Report =
  /** It polls now. */
  | { kind: 'fallback'; reason: string | undefined }
  /** It has been in a state for so long. */
  | { kind: 'uptime'; state: State; ms: number }
  /** From the commit, by the database's clock, to the first frame painted after the handlers, by this machine's. */
  | { kind: 'latency'; seq: number; ms: number };

/** Latencies are reported at most so often: under a flood one tells as much as all. In ms. */
const SAMPLE_MS = 1_000;

/** Reports changes of state and, while live, the latency of events. */
export function createReporter(report: (report: Report) => void, now: () => number) {
  let before: Status | undefined;
  let sampledAt = 0;
  return {
    status(status: Status) {
      if (before && before.state !== status.state) {
        report({ kind: 'uptime', state: before.state, ms: status.since - before.since });
        if (status.state === 'polling') report({ kind: 'fallback', reason: status.reason });
      }
      before = status;
    },
    event(event: EventOf) {
      if (before?.state !== 'live' || now() - sampledAt < SAMPLE_MS) return;
      sampledAt = now();
      const recordedAt = Date.parse(event.recorded_at);
      painted(() => report({ kind: 'latency', seq: event.seq, ms: now() - recordedAt }));
    },
  };
}

/** Calls after the next frame is painted; where nothing is painted, once the handlers are through. */
function painted(call: () => void): void {
  const frame = globalThis.requestAnimationFrame;
  if (frame) frame(() => setTimeout(call));
  else queueMicrotask(call);
}
