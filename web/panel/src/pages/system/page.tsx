import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { api, type Schemas } from '../../api.ts';
import { useTitle } from '../../shell/title.ts';
import { Scroll } from '../../widgets/scroll.tsx';
import { Failed, Loading } from '../../widgets/states.tsx';
import { Ago, duration } from '../../widgets/time.tsx';
import { StreamSwitch } from './switch.tsx';
import { OpenStreams } from './streams.tsx';

type System = Schemas['System'];

/** The process's figures are no events: it is asked so often, and only while the page is seen. In ms. */
const LOOK_MS = 2000;

/** How the process that answers is, and the switch for all of them. */
export default function SystemPage() {
  useTitle('System');
  const system = useQuery({
    queryKey: ['system'],
    refetchInterval: LOOK_MS,
    queryFn: async ({ signal }) => accepted(await api.GET('/api/v1/system', { signal })),
  });
  return (
    <div className="sections">
      <header className="page-head">
        <h1>System</h1>
        {system.isError && system.data && <span className="soft">Not answering; these are the last figures.</span>}
      </header>
      {system.isError && !system.data && <Failed error={system.error} again={() => void system.refetch()} />}
      {system.isPending && <Loading />}
      {system.data && (
        <>
          <Tiles system={system.data} />
          <StreamSwitch system={system.data} />
          <Breakers breakers={system.data.breakers} />
          <OpenStreams byLag={system.data.streams.by_lag} />
        </>
      )}
    </div>
  );
}

const LEVELS: Record<Schemas['Level'], { words: string; tone: string; means: string }> = {
  normal: { words: 'Normal', tone: 'good', means: 'Every event at once, to everybody.' },
  batched: { words: 'Batched', tone: 'warn', means: 'Events are gathered, so that fewer writes carry them.' },
  essential_only: { words: 'Essential only', tone: 'warn', means: 'Streams carry critical events; polling has all.' },
  no_new_streams: { words: 'No new streams', tone: 'bad', means: 'Open streams go on; whoever comes now polls.' },
  polling_only: { words: 'Polling only', tone: 'bad', means: 'Streams are closed; everybody polls.' },
};

function Tiles({ system }: { system: System }) {
  const level = LEVELS[system.level];
  const { log, streams } = system;
  return (
    <div className="tiles">
      <Tile name="Level" tone={level.tone} value={level.words}>
        {level.means} Since <Ago at={system.level_since} suffix=" ago" />.
      </Tile>
      <Tile name="Log" value={String(log.seq)}>
        {log.listening ? 'Notifications arrive.' : 'No notifications: it looks by itself.'}
      </Tile>
      <Tile name="Behind the log" tone={log.lag ? 'warn' : 'good'} value={log.lag == null ? 'unknown' : `${log.lag}`}>
        events not yet read by this process
      </Tile>
      <Tile name="Open streams" value={String(streams.open)}>
        of this process
      </Tile>
      <Tile name="Commands waiting" value={String(system.append_waiting)}>
        of at most {system.append_most}
      </Tile>
      <Tile name="Up" value={duration(system.uptime_s)}>
        version {system.version}
      </Tile>
    </div>
  );
}

function Tile(props: { name: string; value: string; tone?: string; children?: ReactNode }) {
  return (
    <section className="tile" aria-label={props.name}>
      <h2>{props.name}</h2>
      <p className="tile-value" data-tone={props.tone}>
        {props.value}
      </p>
      <p className="soft">{props.children}</p>
    </section>
  );
}

/** How full each breaker is, and what it takes away when it opens. */
function Breakers({ breakers }: { breakers: Schemas['Breaker'][] }) {
  return (
    <section className="section">
      <h2>Breakers</h2>
      <Scroll label="Breakers">
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Watches</th>
              <th scope="col">State</th>
              <th scope="col">Now</th>
              <th scope="col">Opens at</th>
              <th scope="col" className="meter-column">
                <span className="visually-hidden">How full</span>
              </th>
              <th scope="col">Level it asks for</th>
            </tr>
          </thead>
          <tbody>
            {breakers.map(({ name, state, value, limit, unit, level }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>
                  <span className="tone" data-tone={state === 'closed' ? 'good' : 'bad'}>
                    {state.replaceAll('_', ' ')}
                  </span>
                </td>
                <td>{`${round(value)} ${unit}`}</td>
                <td>{limit == null ? 'never' : `${round(limit)} ${unit}`}</td>
                <td>
                  {limit != null && (
                    <meter min={0} max={limit} high={limit * 0.8} value={Math.min(value, limit)} aria-label={name} />
                  )}
                </td>
                <td>{LEVELS[level].words}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, '');
}
