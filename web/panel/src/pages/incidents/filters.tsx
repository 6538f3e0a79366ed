import { useNavigate } from '@tanstack/react-router';

import { useMe } from '../../session/session.tsx';
import { Button } from '../../widgets/button.tsx';
import { Menu, MenuItem, MenuLabel, MultiChoice } from '../../widgets/menu.tsx';
import { exactly } from '../../widgets/time.tsx';
import { Token } from '../../widgets/token.tsx';
import { TypedWords } from '../../widgets/typed_words.tsx';
import { type Filter, ORDERS } from './filter.ts';
import { PRIORITIES, SEVERITIES, STATUSES } from './incident.ts';

/** What the list shows. All of it is in the address. */
export function Filters({ filter }: { filter: Filter }) {
  const navigate = useNavigate();
  const { username } = useMe();
  const change = (changes: Partial<Record<keyof Filter, unknown>>) =>
    void navigate({ to: '/incidents', search: { ...filter, ...changes } as never, replace: true });
  const order = ORDERS.find((each) => each.order === (filter.order ?? '-number'))?.words ?? filter.order!;
  const { order: _order, ...narrowing } = filter;
  return (
    <div className="filters" role="search" aria-label="Filter incidents">
      <TypedWords label="Words in the title" value={filter.q ?? ''} onChange={(q) => change({ q: q || undefined })} />
      <MultiChoice
        name="Status"
        none="open"
        of={STATUSES}
        chosen={filter.status}
        onChange={(status) => change({ status })}
      />
      <MultiChoice
        name="Severity"
        none="any"
        of={SEVERITIES}
        chosen={filter.severity}
        onChange={(severity) => change({ severity })}
      />
      <MultiChoice
        name="Priority"
        none="any"
        of={PRIORITIES}
        chosen={filter.priority}
        onChange={(priority) => change({ priority })}
      />
      <Menu
        active={filter.assignee !== undefined}
        label={<MenuLabel name="Assignee" value={filter.assignee === '' ? 'nobody' : (filter.assignee ?? 'anybody')} />}
      >
        <MenuItem onSelect={() => change({ assignee: undefined })}>anybody</MenuItem>
        <MenuItem onSelect={() => change({ assignee: username })}>me</MenuItem>
        <MenuItem onSelect={() => change({ assignee: '' })}>nobody</MenuItem>
      </Menu>
      <Menu label={<MenuLabel name="Order" value={order} />}>
        {ORDERS.map((each) => (
          <MenuItem key={each.order} onSelect={() => change({ order: each.order })}>
            {each.words}
          </MenuItem>
        ))}
      </Menu>
      {(filter.created_from ?? filter.created_before) && (
        <Token
          words={`Reported ${filter.created_from ? exactly(filter.created_from) : ''} to ${
            filter.created_before ? exactly(filter.created_before) : 'now'
          }`}
          onRemove={() => change({ created_from: undefined, created_before: undefined })}
        />
      )}
      {filter.server && <Token words={`Server ${filter.server}`} onRemove={() => change({ server: undefined })} />}
      {Object.keys(narrowing).length > 0 && (
        <Button look="bare" onClick={() => void navigate({ to: '/incidents', replace: true })}>
          Clear
        </Button>
      )}
    </div>
  );
}
