import type { EventOf } from './event.ts';
import type { components } from './generated/openapi.ts';
import type { Asker } from './request.ts';
import type { State, Status } from './status.ts';

/** What a connection can report about itself. */
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
  let from = 0;
  let sampledAt = 0;
  const uptime = (until: number) => {
    if (before) report({ kind: 'uptime', state: before.state, ms: until - from });
    from = until;
  };
  return {
    status(status: Status) {
      if (before?.state !== status.state) {
        uptime(status.since);
        if (before && status.state === 'polling') report({ kind: 'fallback', reason: status.reason });
      }
      before = status;
    },
    /** Reports the time in the present state so far. */
    lap: () => uptime(now()),
    event(event: EventOf) {
      if (before?.state !== 'live' || now() - sampledAt < SAMPLE_MS || isHidden()) return;
      sampledAt = now();
      const recordedAt = Date.parse(event.recorded_at);
      painted(() => report({ kind: 'latency', seq: event.seq, ms: now() - recordedAt }));
    },
  };
}

/** Between two reports to the server. In ms; it takes six a minute of one session, which may have several tabs. */
const SEND_MS = 60_000;
/** Entries of each list in one report: the server's limit. More are left out, as samples are. */
const MOST_ENTRIES = 100;

type Sent = components['schemas']['ClientReport'];
type Body = { [List in keyof Sent]-?: NonNullable<Sent[List]> };

/**
 * Reports to the server's metrics: gathered, once a minute while the page is seen, when it is hidden and at the end.
 * What does not arrive is lost: these are only numbers, and nothing waits for them.
 */
export function createServerReporter({ base, auth, world }: Asker) {
  let body: Body = { fallbacks: [], uptimes: [], latencies_ms: [] };
  const push = <T>(list: T[], one: T) => list.length < MOST_ENTRIES && list.push(one);
  const reporter = createReporter((report) => {
    if (report.kind === 'fallback') push(body.fallbacks, report.reason ?? 'none');
    // A clock that was set back makes no time that the server would believe.
    if (report.kind === 'uptime') push(body.uptimes, { state: report.state, ms: Math.max(0, Math.round(report.ms)) });
    if (report.kind === 'latency') push(body.latencies_ms, Math.round(report.ms));
  }, world.now);
  let cancel = () => {};
  const send = async () => {
    reporter.lap();
    const sent = JSON.stringify(body);
    body = { fallbacks: [], uptimes: [], latencies_ms: [] };
    const headers = { 'Content-Type': 'application/json' };
    // `keepalive`: it goes out even when the page is gone.
    const init = await auth.sign({ method: 'POST', keepalive: true, headers, body: sent });
    if (init) await world.fetch(`${base}/api/v1/me/transport/reports`, init);
  };
  const flush = () => void send().catch(() => {});
  const again = () => {
    cancel = world.after(SEND_MS, () => {
      if (!isHidden()) flush();
      again();
    });
  };
  again();
  const hidden = () => isHidden() && flush();
  globalThis.document?.addEventListener?.('visibilitychange', hidden);
  return {
    ...reporter,
    status(status: Status) {
      reporter.status(status);
      if (status.state !== 'off') return;
      cancel();
      globalThis.document?.removeEventListener?.('visibilitychange', hidden);
      flush();
    },
  };
}

/**
 * Calls after the next frame is painted; where nothing is painted, once the handlers are through. Never, if the page is
 * hidden first: its frame comes when somebody is back, who has not waited for it.
 */
function painted(call: () => void): void {
  const { document, requestAnimationFrame } = globalThis;
  if (!requestAnimationFrame) return queueMicrotask(call);
  const forget = () => cancelAnimationFrame(frame);
  const frame = requestAnimationFrame(() => {
    document?.removeEventListener('visibilitychange', forget);
    setTimeout(call);
  });
  document?.addEventListener('visibilitychange', forget, { once: true });
}

function isHidden(): boolean {
  return globalThis.document?.visibilityState === 'hidden';
}
