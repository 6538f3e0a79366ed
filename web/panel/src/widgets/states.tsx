import type { ReactNode } from 'react';

import { wordsOf } from '../api.ts';
import { Button } from './button.tsx';

/** Nothing to show, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <strong>{title}</strong>
      <div className="state-text">{children}</div>
    </div>
  );
}

/** It could not be loaded. */
export function Failed({ error, again }: { error: unknown; again: () => void }) {
  return (
    <div className="state" role="alert">
      <strong>This could not be loaded</strong>
      <div className="state-text">{wordsOf(error)}</div>
      <Button onClick={again}>Try again</Button>
    </div>
  );
}

/** On its way: as many grey lines as there will be about. */
export function Loading({ lines = 6 }: { lines?: number }) {
  return (
    <div className="loading" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} />
      ))}
    </div>
  );
}
