/** Longest waits between attempts, in seconds. Each wait is drawn evenly from 0 to its step ("full jitter"). */
const STEPS_S = [1, 2, 4, 8, 16, 30] as const;
/** Probes of the stream while polling come 15 to 30 s apart: often enough to be back soon, and never in step. */
const PROBE_S = 30;
/** A longer `Retry-After` is a mistake somewhere: it is cut to an hour. */
const MOST_FLOOR_MS = 3_600_000;

/** How long to wait before attempt `attempt` (1 is the first repetition), in ms. Never less than `floor_ms`. */
export function backoff(attempt: number, random: number, floor_ms = 0): number {
  const step_s = STEPS_S[Math.min(attempt, STEPS_S.length) - 1] ?? STEPS_S[0];
  return raised(step_s * 1_000 * random, random, floor_ms);
}

/** How long to poll before the stream is tried again, in ms. Never less than `floor_ms`. */
export function untilProbe(random: number, floor_ms = 0): number {
  return raised(PROBE_S * 500 * (1 + random), random, floor_ms);
}

/** A floor that many share is spread upwards by a tenth, so that they do not come back together. */
function raised(wait_ms: number, random: number, floor_ms: number): number {
  return Math.max(wait_ms, floor_ms * (1 + random / 10));
}

/** `Retry-After` in ms: seconds or an HTTP date (RFC 9110, 10.2.3). 0 for anything else. */
export function retryAfter(value: string | null, now: number): number {
  if (!value) return 0;
  const wait_ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Math.min(Math.max(wait_ms || 0, 0), MOST_FLOOR_MS);
}
