import { useState } from 'react';

import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { Menu, MenuItem, MenuLabel } from '../../widgets/menu.tsx';
import { exactly } from '../../widgets/time.tsx';
import { TypedWords } from '../../widgets/typed_words.tsx';
import { isField, LASTS, LEVELS, type LogsSearch, rangeOf } from './filter.ts';
import type { Change } from './page.tsx';
import { toField, zone } from './times.ts';

/** What is changed so that lines of any kind are shown. */
export const ANY = {
  q: undefined,
  level: undefined,
  source: undefined,
  server: undefined,
  execution: undefined,
  field: undefined,
};

/** Which lines, all of it in the address. */
export function Filters({ search, change }: { search: LogsSearch; change: Change }) {
  const { q, level, source, server, execution, field = [], times } = search;
  const isNarrow = q ?? level ?? source ?? server ?? execution ?? field[0];
  const only = (fields: string[]) => change({ field: fields.length ? fields : undefined });
  return (
    <div className="filters" role="search" aria-label="Filter log lines">
      <TypedWords
        label="Words in the message"
        value={q ?? ''}
        onChange={(words) => change({ q: words || undefined })}
      />
      <Menu active={level !== undefined} label={<MenuLabel name="Level" value={level ? `${level} or worse` : 'any'} />}>
        {LEVELS.map((each, nth) => (
          <MenuItem key={each} onSelect={() => change({ level: nth === 0 ? undefined : each })}>
            {nth === 0 ? 'any' : each === 'fatal' ? each : `${each} or worse`}
          </MenuItem>
        ))}
      </Menu>
      <Fact label="Source" name="source" value={source} set={(value) => change({ source: value })} />
      <Fact label="Server" name="server" value={server} set={(value) => change({ server: value })} />
      <Fact
        key={field.join()}
        label="Field"
        name="field:value"
        value={undefined}
        set={(value) => value && isField(value) && only([...field, value])}
      />
      {field.map((each) => {
        const key = each.slice(0, each.indexOf(':'));
        return (
          <span key={each} className="token">
            <span className="soft">{key}</span>&nbsp;
            <span className="mono">{each.slice(key.length + 1)}</span>
            <Button
              look="bare"
              icon="close"
              aria-label={`Lines of any ${key}`}
              onClick={() => only(field.filter((other) => other !== each))}
            />
          </span>
        );
      })}
      {execution && (
        <span className="token">
          <span className="soft">Execution</span>&nbsp;
          <span className="mono">{execution.slice(-12)}</span>
          <Button
            look="bare"
            icon="close"
            aria-label="Lines of any execution"
            onClick={() => change({ execution: undefined })}
          />
        </span>
      )}
      <Range search={search} change={change} />
      <Menu label={<MenuLabel name="Times" value={times === 'ago' ? 'ago' : zone()} />}>
        <MenuItem onSelect={() => change({ times: undefined })}>exact, {zone()}</MenuItem>
        <MenuItem onSelect={() => change({ times: 'ago' })}>how long ago</MenuItem>
      </Menu>
      {isNarrow !== undefined && (
        <Button look="bare" onClick={() => change(ANY)}>
          Clear
        </Button>
      )}
    </div>
  );
}

/** A fact that is given whole: told by Enter, or when the field is left. */
function Fact(props: { label: string; name: string; value: string | undefined; set: (value?: string) => void }) {
  const { label, name, value = '', set } = props;
  const tell = (text: string) => text.trim() !== value && set(text.trim() || undefined);
  return (
    <input
      key={value}
      className="input mono filter-fact"
      data-set={value ? '' : undefined}
      aria-label={label}
      placeholder={name}
      maxLength={253}
      defaultValue={value}
      onBlur={(event) => tell(event.target.value)}
      onKeyDown={(event) => event.key === 'Enter' && tell(event.currentTarget.value)}
    />
  );
}

/** From when to when. */
function Range({ search, change }: { search: LogsSearch; change: Change }) {
  const [asking, setAsking] = useState(false);
  const { since, before, last } = search;
  const isFixed = since !== undefined || before !== undefined;
  const words = isFixed ? 'fixed' : (LASTS.find((one) => one.last === last) ?? LASTS[0]).words;
  const set = (one: string) => change({ last: one, since: undefined, before: undefined });
  const now_ms = Date.now();
  const range = rangeOf(search, now_ms);
  return (
    <>
      <Menu active={isFixed} label={<MenuLabel name="Written" value={words} />}>
        {LASTS.map(({ last: one, words: each }) => (
          <MenuItem key={one} onSelect={() => set(one)}>
            {each}
          </MenuItem>
        ))}
        <MenuItem onSelect={() => setAsking(true)}>From … to …</MenuItem>
      </Menu>
      {isFixed && (
        <span className="soft range-words">
          {since ? exactly(since) : 'the beginning'} – {before ? exactly(before) : 'now'}
        </span>
      )}
      {asking && (
        <FormDialog
          title="Written between"
          submit="Show"
          busy={false}
          onClose={() => setAsking(false)}
          onSubmit={(form) => {
            const time = (name: string) => {
              const value = String(form.get(name) ?? '');
              return value ? new Date(value).toISOString() : undefined;
            };
            change({ since: time('since'), before: time('before'), last: undefined });
            setAsking(false);
          }}
        >
          <div className="form-pair">
            <TextField
              label="From"
              name="since"
              type="datetime-local"
              step={1}
              defaultValue={toField(range.since ? Date.parse(range.since) : now_ms - LASTS[0].span_ms)}
            />
            <TextField
              label="Up to"
              name="before"
              type="datetime-local"
              step={1}
              defaultValue={range.before && toField(Date.parse(range.before))}
              hint="Empty: now, and it goes on"
            />
          </div>
          <p className="soft">Times of your zone, {zone()}.</p>
        </FormDialog>
      )}
    </>
  );
}
