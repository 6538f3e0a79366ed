import { useEffect, useReducer, useRef } from 'react';

import type { State } from '../status.ts';
import { useSSE } from './use_sse.ts';

const LABELS: Record<State, string> = {
  connecting: 'Reconnecting',
  replaying: 'Catching up',
  live: 'Live',
  polling: 'Polling',
  offline: 'Offline',
  off: 'Off',
};

/** How it looks. */
export interface ConnectionStatusProps {
  /** Other words. */
  labels?: Partial<Record<State, string>>;
  className?: string;
  /** The age of the newest event, in whole seconds, in words. */
  age?: (seconds: number) => string;
}

/**
 * A badge that says honestly how the events are: style it by `[data-state]`. Screen readers are told changes of the
 * state, not the age, which changes every second.
 */
export function ConnectionStatus({ labels, className, age = words }: ConnectionStatusProps) {
  const eventAt = useRef<number>(undefined);
  const [, renderAgain] = useReducer((count: number) => count + 1, 0);
  const { state, reason, detail } = useSSE('*', () => {
    eventAt.current = Date.now();
  });
  useEffect(() => {
    const timer = setInterval(renderAgain, 1_000);
    return () => clearInterval(timer);
  }, []);
  const seconds = eventAt.current === undefined ? undefined : Math.floor((Date.now() - eventAt.current) / 1_000);
  return (
    <span className={className} data-state={state} title={detail ?? reason}>
      <span role="status">{labels?.[state] ?? LABELS[state]}</span>
      {seconds !== undefined && <span data-age={seconds}> · {age(seconds)}</span>}
    </span>
  );
}

function words(seconds: number): string {
  if (seconds < 60) return `${seconds} s ago`;
  return seconds < 3_600 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3_600)} h ago`;
}
