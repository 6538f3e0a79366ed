import { useEffect } from 'react';

/** Names the tab, the history entry and, for screen readers, the page. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Signalbox`;
  }, [title]);
}
