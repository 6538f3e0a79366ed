import { type QueryClient, type QueryKey, hashKey, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';

import type { Connection } from '../connect.ts';
import { type EventOf, type Matching, type Pattern, matches } from '../event.ts';
import { PATCHES } from '../generated/events.ts';
import { useConnection } from './context.tsx';

/** Queries to be loaded again are gathered for so long: a burst costs each one request. In ms. */
const GATHER_MS = 100;

/** What events of a pattern mean for what is cached. */
export interface Rule<P extends string = string> {
  on: P;
  /** Writes what the event says into the cache. Compare `event.version` with the resource's: the cache may be newer. */
  patch?: (client: QueryClient, event: Matching<P>) => void;
  /** Queries that are not true any more, by the beginning of their keys. Those on the screen are loaded again. */
  invalidate?: (event: Matching<P>) => QueryKey[];
}

/** Rules of any patterns. */
export type Rules = readonly {
  on: string;
  patch?: (client: QueryClient, event: never) => void;
  invalidate?: (event: never) => QueryKey[];
}[];

/** Writes a rule so that its functions know the event. */
export function rule<P extends Pattern | (string & {})>(on: P, then: Omit<Rule<P>, 'on'>): Rule<P> {
  return { on, ...then };
}

/** Types whose data say all that changed, as the registry has it (`fallback`). Of any other type they may not. */
const PATCHED: ReadonlySet<string> = new Set(PATCHES);

/**
 * Keeps a query cache current by events. Patches are made at once. Queries are loaded again too, unless the event was
 * patched in and its type's data say all that changed (`fallback` in `GET /api/v1/event-types`); a patch that fails is
 * mended by loading. While the connection catches up, what is to be loaded again is gathered, and
 * loaded once when it has. After a reset everything is. The result ends it.
 */
export function bindQueries(connection: Connection, client: QueryClient, rules: Rules): () => void {
  const stale = new Map<string, QueryKey>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    timer = undefined;
    if (connection.status.state === 'replaying') return;
    const keys = [...stale.values()];
    stale.clear();
    for (const queryKey of keys) void client.invalidateQueries({ queryKey });
  };
  const gather = () => {
    if (stale.size > 0) timer ??= setTimeout(flush, GATHER_MS);
  };
  const told = (event: EventOf) => {
    const fitting = rules.filter(({ on }) => matches(on, event.type));
    const failures: unknown[] = [];
    for (const { patch } of fitting) {
      try {
        patch?.(client, event as never);
      } catch (error) {
        failures.push(error);
      }
    }
    const isPatched = PATCHED.has(event.type) && failures.length === 0 && fitting.some(({ patch }) => patch);
    if (!isPatched) {
      for (const { invalidate } of fitting) {
        for (const key of invalidate?.(event as never) ?? []) stale.set(hashKey(key), key);
      }
      gather();
    }
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures);
  };
  const endings = [connection.on('*', told), connection.onStatus(gather)];
  endings.push(connection.onReset(() => void client.invalidateQueries()));
  return () => {
    clearTimeout(timer);
    for (const end of endings) end();
  };
}

/** The same for as long as the component is there. The rules of the first render count. */
export function useQueryEvents(rules: Rules): void {
  const connection = useConnection();
  const client = useQueryClient();
  const first = useRef(rules);
  useEffect(() => bindQueries(connection, client, first.current), [connection, client]);
}
