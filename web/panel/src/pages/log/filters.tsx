import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { Menu, MenuItem, MenuLabel } from '../../widgets/menu.tsx';
import { exactly } from '../../widgets/time.tsx';
import { Token } from '../../widgets/token.tsx';
import type { Change } from './event.tsx';
import { type LogFilter, NARROWING, WHOLE } from './filter.ts';
import { typesQuery } from './query.ts';

/** What is shown of the log: a type from a menu, all else from a form; what is set can be taken away. */
export function LogFilters({ filter, change }: { filter: LogFilter; change: Change }) {
  const [asking, setAsking] = useState(false);
  const types = useQuery(typesQuery).data?.map(({ name }) => name) ?? [];
  const families = [...new Set(types.map((name) => `${name.split('.')[0]}.*`))];
  const set = (type: string | undefined) => change({ types: type, before: undefined });
  const { types: _types, seq: _seq, ...others } = filter;
  return (
    <div className="filters" role="search" aria-label="Filter events">
      <Menu active={Boolean(filter.types)} label={<MenuLabel name="Type" value={filter.types ?? 'any'} />}>
        <MenuItem onSelect={() => set(undefined)}>any</MenuItem>
        {[...families, ...types].map((type) => (
          <MenuItem key={type} onSelect={() => set(type)}>
            <span className="mono">{type}</span>
          </MenuItem>
        ))}
      </Menu>
      <Button onClick={() => setAsking(true)}>Who, when, where …</Button>
      {Object.entries(others).map(([name, value]) => (
        <Token
          key={name}
          words={`${NARROWING[name as keyof typeof others]} ${
            name === 'since' || name === 'until' ? exactly(value) : value
          }`}
          onRemove={() => change({ [name]: undefined })}
        />
      ))}
      {Object.keys(others).length + (filter.types ? 1 : 0) > 1 && (
        <Button look="bare" onClick={() => change(WHOLE)}>
          Clear
        </Button>
      )}
      {asking && (
        <MoreFilters
          filter={filter}
          change={(changes) => {
            setAsking(false);
            change(changes);
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </div>
  );
}

function MoreFilters({ filter, change, onClose }: { filter: LogFilter; change: Change; onClose: () => void }) {
  const send = (form: FormData) => {
    const value = (name: keyof LogFilter) => String(form.get(name) ?? '').trim() || undefined;
    const time = (name: keyof LogFilter) => value(name) && new Date(value(name)!).toISOString();
    const before = Number(value('before'));
    change({
      actor: value('actor'),
      stream: value('stream'),
      correlation: value('correlation'),
      since: time('since'),
      until: time('until'),
      before: before > 0 ? before : undefined,
    });
  };
  return (
    <FormDialog title="Filter events" submit="Show" busy={false} onSubmit={send} onClose={onClose}>
      <TextField
        label="By"
        name="actor"
        maxLength={200}
        defaultValue={filter.actor}
        hint="A user name as it was then, or an id such as user:0198…"
      />
      <div className="form-pair">
        <TextField label="Recorded since" name="since" type="datetime-local" defaultValue={local(filter.since)} />
        <TextField label="and before" name="until" type="datetime-local" defaultValue={local(filter.until)} />
      </div>
      <TextField
        label="Stream"
        name="stream"
        maxLength={200}
        defaultValue={filter.stream}
        hint="Such as incident/0198…"
      />
      <TextField
        label="Correlation"
        name="correlation"
        pattern="[0-9a-fA-F\-]{36}"
        defaultValue={filter.correlation}
        hint="All events of one story"
      />
      <TextField
        label="Before number"
        name="before"
        inputMode="numeric"
        pattern="\d{1,15}"
        defaultValue={filter.before}
      />
    </FormDialog>
  );
}

/** A time as the browser's field wants it, in the zone of who looks. */
export function local(time: string | undefined): string | undefined {
  if (time === undefined || Number.isNaN(Date.parse(time))) return undefined;
  const at = new Date(time);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
