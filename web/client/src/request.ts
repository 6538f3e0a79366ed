import type { Auth } from './auth.ts';
import { retryAfter } from './backoff.ts';
import type { Pattern } from './event.ts';
import type { components } from './generated/openapi.ts';
import type { World } from './world.ts';

/** Why a request failed, as the server says it (RFC 9457). */
export type Problem = components['schemas']['Problem'];

/** Which events to follow. */
export interface Filter {
  /** Of these types and families; all without. */
  types?: readonly (Pattern | (string & {}))[] | undefined;
  /** Of one aggregate, such as `incident/0198…`. */
  stream?: string | undefined;
  /** Of one collaboration session. */
  session?: string | undefined;
}

/** An answer that is not what was asked for. */
export interface Refusal {
  kind: 'refused';
  status: number;
  /** The problem's stable name; empty where the answer is not the server's. */
  code: string;
  detail: string;
  /** It says: poll instead. */
  polling: boolean;
  /** `Retry-After`. */
  floor_ms: number;
}

/** No answer came, or it broke off. */
export interface Unreachable {
  kind: 'unreachable';
  detail: string;
}

/** The token or session is over and there is no other. */
export interface SignedOut {
  kind: 'signed_out';
}

/** Where the server is and how it is asked. */
export interface Asker {
  base: string;
  filter: Filter;
  auth: Auth;
  world: World;
}

/** Sends a GET with the caller's rights. Never throws. */
export async function ask(
  { auth, world }: Asker,
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response | Refusal | Unreachable | SignedOut> {
  try {
    const init = await auth.sign({ headers, signal, cache: 'no-store' });
    if (!init) return { kind: 'signed_out' };
    const response = await world.fetch(url, init);
    return response.ok ? response : await refusal(response, world.now());
  } catch (error) {
    return unreachable(error);
  }
}

/** The query of a stream or a page. */
export function query(filter: Filter, more: Record<string, string | number | undefined>): string {
  const wanted = { ...more, types: filter.types?.join(), stream: filter.stream, session: filter.session };
  const pairs = Object.entries(wanted).filter(([, value]) => value !== undefined && value !== '');
  return new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
}

export function unreachable(error: unknown): Unreachable {
  return { kind: 'unreachable', detail: error instanceof Error ? error.message : String(error) };
}

async function refusal(response: Response, now: number): Promise<Refusal> {
  const body: unknown = await response.json().catch(() => null);
  const problem: Partial<Problem> = typeof body === 'object' && body !== null ? body : {};
  return {
    kind: 'refused',
    status: response.status,
    code: problem.code ?? '',
    detail: problem.detail ?? response.statusText,
    polling: Array.isArray(problem.allowed) && problem.allowed.includes('polling'),
    floor_ms: retryAfter(response.headers.get('retry-after'), now),
  };
}
