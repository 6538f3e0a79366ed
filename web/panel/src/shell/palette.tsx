import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useDeferredValue, useId, useState } from 'react';

import { api } from '../api.ts';
import { pages } from '../pages/index.ts';
import { useMe, useSignOut } from '../session/session.tsx';
import { Dialog } from '../widgets/dialog.tsx';
import { nextTheme } from './theme.ts';

/** Incidents offered for what was typed, and runbooks. */
const MOST_FOUND = 8;
const MOST_RUNBOOKS = 4;

interface Entry {
  id: string;
  words: string;
  kind: string;
  run: () => void;
}

/** Goes anywhere and does anything by a few letters. */
export function Palette({ onClose, onHelp }: { onClose: () => void; onHelp: () => void }) {
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const listId = useId();
  const entries = useEntries(typed.trim(), onHelp);
  const chosen = Math.min(at, entries.length - 1);
  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    entry.run();
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setAt((chosen + step + entries.length) % Math.max(1, entries.length));
    else if (event.key === 'Enter') run(entries[chosen]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Search or go to" look="palette" onClose={onClose}>
      <input
        className="palette-input"
        role="combobox"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={entries[chosen] && `${listId}-${entries[chosen].id}`}
        aria-label="Search or go to"
        placeholder="A page, an action, INC-42, or words of a title"
        value={typed}
        onKeyDown={press}
        onChange={(event) => {
          setTyped(event.target.value);
          setAt(0);
        }}
      />
      <ul className="palette-list" role="listbox" id={listId} aria-label="What there is">
        {entries.map((entry, index) => (
          <li
            key={entry.id}
            id={`${listId}-${entry.id}`}
            role="option"
            aria-selected={index === chosen}
            onMouseMove={() => setAt(index)}
            onClick={() => run(entry)}
          >
            <span className="palette-words">{entry.words}</span>
            <span className="soft">{entry.kind}</span>
          </li>
        ))}
        {entries.length === 0 && (
          <li className="palette-none" role="option" aria-selected="false" aria-disabled="true">
            Nothing fits. Try a number such as INC-42.
          </li>
        )}
      </ul>
    </Dialog>
  );
}

function useEntries(typed: string, onHelp: () => void): Entry[] {
  const navigate = useNavigate();
  const signOut = useSignOut();
  const { permissions } = useMe();
  const key = /^(?:inc-?)?(\d{1,9})$/i.exec(typed)?.[1];
  const wanted = useDeferredValue(typed);
  const found = useQuery({
    queryKey: ['palette', wanted],
    enabled: wanted.length >= 2 && !key && permissions.includes('incidents.read'),
    staleTime: 10_000,
    queryFn: async ({ signal }) => {
      const query = { q: wanted, limit: MOST_FOUND };
      const { data } = await api.GET('/api/v1/incidents', { params: { query }, signal });
      return data?.items ?? [];
    },
  });
  const runbooks = useQuery({
    queryKey: ['palette runbooks', wanted],
    enabled: wanted.length >= 2 && !key && permissions.includes('automations.read'),
    staleTime: 10_000,
    queryFn: async ({ signal }) => {
      const query = { q: wanted, archived: false, limit: MOST_RUNBOOKS };
      const { data } = await api.GET('/api/v1/runbooks', { params: { query }, signal });
      return data?.items ?? [];
    },
  });
  const open = (incident: string) => void navigate({ to: `/incidents/${incident}` });
  const fixed: Entry[] = [
    ...pages.flatMap(({ nav, path, needs }) =>
      nav && (!needs || permissions.includes(needs))
        ? [{ id: `go${path}`, words: nav.label, kind: `g ${nav.key}`, run: () => void navigate({ to: path }) }]
        : [],
    ),
    { id: 'theme', words: 'Change theme', kind: 'action', run: () => void nextTheme() },
    { id: 'help', words: 'Keyboard', kind: '?', run: onHelp },
    { id: 'out', words: 'Sign out', kind: 'action', run: () => void signOut() },
  ];
  if (permissions.includes('automations.write')) {
    const run = () => void navigate({ to: '/runbooks/new' });
    fixed.splice(-3, 0, { id: 'write', words: 'Write a runbook', kind: 'action', run });
  }
  if (permissions.includes('incidents.write')) {
    const run = () => void navigate({ to: '/incidents', search: { new: '1' } as never });
    fixed.splice(-3, 0, { id: 'new', words: 'Report an incident', kind: 'c', run });
  }
  const fits = fixed.filter(({ words }) => words.toLowerCase().includes(typed.toLowerCase()));
  const byNumber = key ? [{ id: 'key', words: `INC-${key}`, kind: 'open', run: () => open(`INC-${key}`) }] : [];
  const incidents = (typed ? (found.data ?? []) : []).map((incident) => ({
    id: incident.id,
    words: `${incident.key} ${incident.title}`,
    kind: incident.status,
    run: () => open(incident.key),
  }));
  const steps = (typed ? (runbooks.data ?? []) : []).map(({ id, definition }) => ({
    id,
    words: definition.name,
    kind: 'runbook',
    run: () => void navigate({ to: `/runbooks/${id}` }),
  }));
  return [...byNumber, ...fits, ...steps, ...incidents];
}
