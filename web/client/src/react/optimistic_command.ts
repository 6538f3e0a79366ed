import {
  type QueryClient,
  type QueryKey,
  type UseMutationResult,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';

import { backoff } from '../backoff.ts';
import type { Connection } from '../connect.ts';
import type { Problem } from '../request.ts';
import { useConnection } from './context.tsx';

/** A command whose outcome is not known is sent so often, under the same key, before it is given up. */
const ATTEMPTS = 5;

/** The server's no. */
export class CommandRefused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'CommandRefused';
    this.problem = problem;
  }
}

/** The resource out of an answer of `createApi`; throws the server's no. */
export function accepted<T>({
  data,
  error,
  response,
}: {
  data?: T;
  error?: Problem | undefined;
  response: Response;
}): T {
  if (data !== undefined) return data;
  const title = response.statusText || `status ${response.status}`;
  throw new CommandRefused(
    error ?? { type: 'about:blank', title, status: response.status, code: 'unknown', detail: title },
  );
}

/** A command on one resource that is shown before the server has confirmed it. */
export interface OptimisticCommand<Variables, Resource extends { version: number }> {
  /** Where the resource lies in the cache. */
  queryKey: (variables: Variables) => QueryKey;
  /** How it will look. Not its version: that one stays until the server says another. */
  apply: (resource: Resource, variables: Variables) => Resource;
  /**
   * Sends it with these headers: `Idempotency-Key`, so that a repetition does nothing twice; `If-Match`, so that it
   * only happens to what was seen; `traceparent` (W3C Trace Context), so that its events are known for its own.
   */
  send: (variables: Variables, headers: Record<string, string>) => Promise<Resource>;
}

/**
 * Shows a command's result at once, then confirms it or takes it back.
 *
 * It is confirmed by the answer, or by its own event on the stream, whichever comes. An answer that is lost is asked
 * for again under the same key. Refused, it is taken back, unless the resource has a newer version by then: what
 * others did stays. Either way the truth is loaded again after a refusal.
 */
export function useOptimisticCommand<Variables, Resource extends { version: number }>(
  command: OptimisticCommand<Variables, Resource>,
): UseMutationResult<Resource | undefined, Error, Variables> {
  const client = useQueryClient();
  const connection = useConnection();
  return useMutation({
    // Offline it fails and is sent again like any other unknown outcome.
    networkMode: 'always',
    mutationFn: (variables: Variables) => carryOut(command, variables, client, connection),
  });
}

async function carryOut<Variables, Resource extends { version: number }>(
  { queryKey, apply, send }: OptimisticCommand<Variables, Resource>,
  variables: Variables,
  client: QueryClient,
  connection: Connection,
): Promise<Resource | undefined> {
  const where = queryKey(variables);
  await client.cancelQueries({ queryKey: where });
  const before = client.getQueryData<Resource>(where);
  const shown =
    before && client.setQueryData<Resource>(where, { ...apply(before, variables), version: before.version });
  const key = crypto.randomUUID();
  const trace = key.replaceAll('-', '');
  const echo = listen(connection, trace);
  try {
    const headers = { 'Idempotency-Key': key, traceparent: `00-${trace}-${trace.slice(16)}-01` };
    const resource = await sendUntilKnown(
      () => send(variables, before ? { ...headers, 'If-Match': `"${before.version}"` } : headers),
      echo,
    );
    if (resource)
      client.setQueryData<Resource>(where, (now) => (now && now.version > resource.version ? now : resource));
    else await client.invalidateQueries({ queryKey: where });
    return resource;
  } catch (error) {
    client.setQueryData<Resource>(where, (now) => (now === shown ? before : now));
    void client.invalidateQueries({ queryKey: where });
    throw error;
  } finally {
    echo.end();
  }
}

/** Whether an event of the command came. */
function listen(connection: Connection, trace: string) {
  let came = () => {};
  const heard = new Promise<undefined>((resolve) => (came = () => resolve(undefined)));
  const end = connection.on('*', ({ trace_id }) => {
    if (trace_id === trace) came();
  });
  return { heard, end };
}

/** Sends until there is an answer, or until the command's own event says that it happened. */
async function sendUntilKnown<T>(send: () => Promise<T>, echo: { heard: Promise<undefined> }): Promise<T | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send();
    } catch (error) {
      if (attempt >= ATTEMPTS || !isUnknown(error)) throw error;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const wait = new Promise<'again'>((resolve) => {
        timer = setTimeout(() => resolve('again'), backoff(attempt, Math.random()));
      });
      if ((await Promise.race([wait, echo.heard])) !== 'again') return clearTimeout(timer) as undefined;
    }
  }
}

/** No answer, one that says try again, or that the first attempt is still under way. */
function isUnknown(error: unknown): boolean {
  if (!(error instanceof CommandRefused)) return true;
  const { status, code } = error.problem;
  return status === 503 || status === 429 || code === 'in_flight';
}
