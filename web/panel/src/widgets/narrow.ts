import { useSyncExternalStore } from 'react';

/** The style sheet's `max-width` of the same meaning. */
const query = globalThis.matchMedia?.('(max-width: 720px)');

function listen(listener: () => void) {
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}

/** Whether the page is as narrow as a telephone. */
export function useNarrow(): boolean {
  return useSyncExternalStore(listen, () => query.matches);
}
