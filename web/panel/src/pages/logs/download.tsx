import { Menu, MenuItem } from '../../widgets/menu.tsx';
import { stringifySearch } from '../../shell/search.ts';
import { type LogsFilter, queryOf } from './filter.ts';

const FORMATS = [
  ['text', 'Messages alone, as text'],
  ['ndjson', 'With all fields, as NDJSON'],
] as const;

/** Takes what fits home, all of it, the oldest first. */
export function Download({ filter }: { filter: LogsFilter }) {
  const take = (format: string) => {
    const link = document.createElement('a');
    link.href = `/api/v1/logs/download${stringifySearch({ ...queryOf(filter, Date.now()), format })}`;
    link.download = '';
    link.click();
  };
  return (
    <Menu label="Download">
      {FORMATS.map(([format, words]) => (
        <MenuItem key={format} onSelect={() => take(format)}>
          {words}
        </MenuItem>
      ))}
    </Menu>
  );
}
