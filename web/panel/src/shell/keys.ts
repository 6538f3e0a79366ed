import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';

import { pages } from '../pages/index.ts';
import { useMe } from '../session/session.tsx';

/** After `g`, the page's letter is awaited for so long. In ms. */
const CHORD_MS = 1500;

/** Whether a key press is a command: not typing, and nothing of the browser's or the system's. */
export function isCommand(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  const target = event.target instanceof HTMLElement ? event.target : undefined;
  if (!target) return true;
  const { tagName } = target;
  return tagName !== 'INPUT' && tagName !== 'TEXTAREA' && tagName !== 'SELECT'
    ? !target.isContentEditable && !target.closest('dialog, [role=menu]')
    : tagName === 'INPUT' && (target as HTMLInputElement).type === 'checkbox' && !target.closest('dialog');
}

/** Calls for single keys while it is mounted: `{ j: next, k: previous }`. One that answers false leaves it to others. */
export function useKeys(keys: Record<string, (event: KeyboardEvent) => unknown>): void {
  const newest = useRef(keys);
  useEffect(() => {
    newest.current = keys;
  });
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const call = newest.current[event.key];
      if (!call || !isCommand(event) || document.querySelector('dialog[open]')) return;
      if (call(event) !== false) event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}

/** j and k move the focus along what a list offers to open, such as the links of its rows; Escape lets go. */
export function useRowKeys(list: { current: HTMLElement | null }, opens: string): void {
  const step = (by: number) => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>(opens) ?? [])];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    rows[Math.max(0, Math.min(rows.length - 1, at + by))]?.focus();
  };
  useKeys({ j: () => step(1), k: () => step(-1), Escape: () => (document.activeElement as HTMLElement)?.blur?.() });
}

/** The keys that work on every page: palette, help, and `g` with a page's letter. */
export function useShortcuts({ openPalette, openHelp }: { openPalette: () => void; openHelp: () => void }): void {
  const navigate = useNavigate();
  const { permissions } = useMe();
  const chordAt = useRef(0);
  const letters = pages.flatMap(({ nav, path, needs }) =>
    nav && (!needs || permissions.includes(needs)) ? [[nav.key, path] as const] : [],
  );
  const go = Object.fromEntries(
    letters.map(([letter, path]) => [
      letter,
      () => {
        if (Date.now() - chordAt.current > CHORD_MS) return false;
        chordAt.current = 0;
        return void navigate({ to: path });
      },
    ]),
  );
  useKeys({ ...go, g: () => (chordAt.current = Date.now()), '?': openHelp, '/': openPalette });
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      if (!document.querySelector('dialog[open]')) openPalette();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [openPalette]);
}
