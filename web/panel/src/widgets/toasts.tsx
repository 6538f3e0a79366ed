import { useSyncExternalStore } from 'react';

import { Button } from './button.tsx';

interface Toast {
  id: number;
  text: string;
  tone: 'good' | 'bad';
}

/** Good news leaves by itself after so long; bad news stays until it is taken away. In ms. */
const STAYS_MS = 5000;
/** The oldest make room. */
const MOST_TOASTS = 4;

let toasts: readonly Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function set(next: readonly Toast[]) {
  toasts = next;
  listeners.forEach((listener) => listener());
}

/** Says something in the corner. */
export function say(text: string, tone: Toast['tone'] = 'good'): void {
  const id = ++lastId;
  set([...toasts, { id, text, tone }].slice(-MOST_TOASTS));
  if (tone === 'good') setTimeout(() => dismiss(id), STAYS_MS);
}

function dismiss(id: number) {
  set(toasts.filter((toast) => toast.id !== id));
}

function listen(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Where they appear. */
export function Toasts() {
  const shown = useSyncExternalStore(listen, () => toasts);
  return (
    <div className="toasts" role="region" aria-label="Messages">
      {shown.map(({ id, text, tone }) => (
        <div key={id} className="toast" data-tone={tone} role={tone === 'bad' ? 'alert' : 'status'}>
          <span>{text}</span>
          <Button look="bare" icon="close" aria-label="Dismiss" onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
