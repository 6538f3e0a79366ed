import type { Connection } from '../src/connect.ts';
import type { EventOf } from '../src/event.ts';
import type { Reset } from '../src/follow.ts';
import { createHandlers } from '../src/handlers.ts';
import { type Status, createStatus } from '../src/status.ts';

/** A connection without a server: what it tells is in the test's hand. */
export function handConnection() {
  const errors: unknown[] = [];
  const handlers = createHandlers((error) => errors.push(error));
  const status = createStatus(() => Date.now());
  const resets = new Set<(reset: Reset) => void>();
  const connection: Connection = {
    on: handlers.on,
    get status() {
      return status.value;
    },
    onStatus(listener) {
      status.listeners.add(listener);
      return () => void status.listeners.delete(listener);
    },
    onReset(listener) {
      resets.add(listener);
      return () => void resets.delete(listener);
    },
    cursor: {},
    close: () => {},
  };
  return {
    connection,
    errors,
    tell: (event: object) => handlers.tell(event as EventOf),
    become: (state: Status['state']) => status.set({ state }),
    reset: () => resets.forEach((listener) => listener({ reason: 'epoch', cursor: {} })),
  };
}
