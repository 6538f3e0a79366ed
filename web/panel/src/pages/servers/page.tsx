import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';

import { useMay } from '../../session/session.tsx';
import { useKeys } from '../../shell/keys.ts';
import { several, text } from '../../shell/search.ts';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { useGlow } from '../../widgets/glow.ts';
import { MultiChoice } from '../../widgets/menu.tsx';
import { Scroll } from '../../widgets/scroll.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { Ago } from '../../widgets/time.tsx';
import { TypedWords } from '../../widgets/typed_words.tsx';
import { EnterServer } from './enter.tsx';
import { type Server, SERVER_STATUSES, type ServerFilter, serversQuery } from './query.ts';

/** The inventory: which servers there are, and whether they answer. */
export default function ServersPage() {
  useTitle('Servers');
  const navigate = useNavigate();
  const search: Record<string, unknown> = useSearch({ strict: false });
  const filter = useMemo<ServerFilter>(
    () => ({ ...several('status', search, SERVER_STATUSES), ...text('q', search) }),
    [search],
  );
  const servers = useQuery(serversQuery(filter));
  const mayWrite = useMay('servers.write');
  const [entering, setEntering] = useState(false);
  useKeys(mayWrite ? { c: () => setEntering(true) } : {});
  const change = (changes: Partial<Record<keyof ServerFilter, unknown>>) =>
    void navigate({ to: '/servers', search: { ...filter, ...changes } as never, replace: true });
  return (
    <div className="list-page">
      <header className="page-head">
        <h1>Servers</h1>
        <span className="grow" />
        {mayWrite && (
          <Button look="primary" icon="plus" shortcut="c" onClick={() => setEntering(true)}>
            Enter
          </Button>
        )}
      </header>
      <div className="filters" role="search" aria-label="Filter servers">
        <TypedWords label="Words in the name" value={filter.q ?? ''} onChange={(q) => change({ q: q || undefined })} />
        <MultiChoice
          name="Status"
          none="any"
          of={SERVER_STATUSES}
          chosen={filter.status}
          onChange={(status) => change({ status })}
        />
      </div>
      <div className="list">
        {servers.isError && !servers.data && <Failed error={servers.error} again={() => void servers.refetch()} />}
        {servers.isPending && <Loading lines={10} />}
        {servers.data?.length === 0 && (
          <Empty title="No server fits">
            {Object.keys(filter).length > 0 ? 'Take a filter away.' : 'Enter the first one: it is tested at once.'}
          </Empty>
        )}
        {servers.data && servers.data.length > 0 && <Rows servers={servers.data} />}
      </div>
      {entering && <EnterServer onClose={() => setEntering(false)} />}
    </div>
  );
}

function Rows({ servers }: { servers: Server[] }) {
  return (
    <Scroll label="Servers">
      <table className="plain padded">
        <thead>
          <tr>
            <th scope="col">Status</th>
            <th scope="col">Name</th>
            <th scope="col" className="only-wide">
              Address
            </th>
            <th scope="col">Since</th>
            <th scope="col">Said</th>
            <th scope="col" className="only-wide">
              Labels
            </th>
          </tr>
        </thead>
        <tbody>
          {servers.map((server) => (
            <Row key={server.id} server={server} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Row({ server }: { server: Server }) {
  const row = useGlow<HTMLTableRowElement>(server.status);
  return (
    <tr ref={row} className="linked">
      <td>
        <ServerChip status={server.status} />
      </td>
      <th scope="row">
        <Link to={`/servers/${server.id}`} className="row-link">
          {server.name}
        </Link>
      </th>
      <td className="mono only-wide">{`${server.host}:${server.port}`}</td>
      <td className="soft">
        <Ago at={server.status_since} />
      </td>
      <td className="said" title={server.message}>
        {server.message}
      </td>
      <td className="soft only-wide">
        {Object.entries(server.labels)
          .map(([name, value]) => `${name} ${String(value)}`)
          .join(', ')}
      </td>
    </tr>
  );
}

/** Whether a server answers, in a word and a shape. */
export function ServerChip({ status }: { status: Server['status'] }) {
  return (
    <span className="chip" data-status={status}>
      <span className="chip-mark" aria-hidden="true" />
      {status}
    </span>
  );
}
