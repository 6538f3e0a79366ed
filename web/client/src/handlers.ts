import { type EventOf, type Matching, type Pattern, matches } from './event.ts';

/** Handlers by type, family or `*`. */
export interface Handlers {
  on<P extends Pattern | (string & {})>(pattern: P, handler: (event: Matching<P>) => unknown): () => void;
  tell(event: EventOf): void;
}

/**
 * Calls handlers in the order in which they were added. What one throws, or rejects with, goes to `failed` and keeps
 * the event from nobody else.
 */
export function createHandlers(failed: (error: unknown, event: EventOf) => void): Handlers {
  const all = new Set<{ pattern: string; handler: (event: never) => unknown }>();
  const call = async (handler: (event: never) => unknown, event: EventOf) => {
    try {
      await handler(event as never);
    } catch (error) {
      failed(error, event);
    }
  };
  return {
    on(pattern, handler) {
      const one = { pattern, handler };
      all.add(one);
      return () => void all.delete(one);
    },
    tell(event) {
      // A handler may take others away, or itself: those are not called any more.
      for (const one of [...all]) if (all.has(one) && matches(one.pattern, event.type)) void call(one.handler, event);
    },
  };
}
