import type { State } from '@signalbox/client';
import { useSSE } from '@signalbox/client/react';
import { useEffect, useRef, useState } from 'react';

import { ago } from '../widgets/time.tsx';

const STATES: Record<State, { word: string; tone: string; means: string }> = {
  live: { word: 'Live', tone: 'good', means: 'Changes appear as they happen.' },
  replaying: { word: 'Catching up', tone: 'warn', means: 'What was missed is on its way.' },
  connecting: { word: 'Reconnecting', tone: 'warn', means: 'What you see may be out of date. Nothing will be missed.' },
  polling: { word: 'Polling', tone: 'warn', means: 'Changes appear within seconds. Streaming comes back by itself.' },
  offline: { word: 'Offline', tone: 'bad', means: 'This device has no network.' },
  off: { word: 'Not connected', tone: 'bad', means: 'Reload the page to connect again.' },
};

/** How the connection is, and how long ago it last told something. Screen readers hear changes, not every second. */
export function ConnectionBadge() {
  const eventAt = useRef<number>(undefined);
  const [now, setNow] = useState(Date.now);
  const { state, reason, detail } = useSSE('*', () => {
    eventAt.current = Date.now();
    setNow(eventAt.current);
  });
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const { word, tone, means } = STATES[state];
  const why = detail ?? (state === 'live' ? undefined : reason?.replaceAll('_', ' '));
  const age = eventAt.current && ago(eventAt.current, Math.max(now, eventAt.current));
  const title = [means, why, age ? `Last event ${age} ago.` : 'No event since this page was opened.'];
  return (
    <span className="badge" data-tone={tone} data-state={state} title={title.filter(Boolean).join('\n')}>
      <span className="dot" aria-hidden="true" />
      <span role="status">{word}</span>
      {age && (
        <span className="badge-age" aria-hidden="true">
          {age}
        </span>
      )}
    </span>
  );
}
