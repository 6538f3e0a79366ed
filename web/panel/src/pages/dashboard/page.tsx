import { accepted, useSSE } from '@signalbox/client/react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type ReactNode, useEffect, useMemo, useRef } from 'react';

import { api, type Schemas } from '../../api.ts';
import { oneOf } from '../../shell/search.ts';
import { useTitle } from '../../shell/title.ts';
import { Chart, type Line } from '../../widgets/chart.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { duration } from '../../widgets/time.tsx';
import { SeverityChip, StatusChip } from '../incidents/chips.tsx';
import { OPEN, SEVERITIES, type Severity, type Status } from '../incidents/incident.ts';

/** Figures are asked for again at most so often, however much happens. In ms. */
const AGAIN_MS = 1000;

const WINDOWS = [
  { hours: '24', words: '24 hours' },
  { hours: '168', words: '7 days' },
  { hours: '720', words: '30 days' },
] as const;

/** Each is there for whoever may read its module. */
const PARTS = ['incidents', 'servers', 'automations', 'notifications', 'logs', 'streams'] as const;

/** Everything in figures, each of which leads to the rows behind it. */
export default function DashboardPage() {
  useTitle('Dashboard');
  const search: Record<string, unknown> = useSearch({ strict: false });
  const window_h = Number(
    oneOf(
      'window_h',
      search,
      WINDOWS.map(({ hours }) => hours),
    ).window_h ?? 24,
  );
  const stats = useStatistics(window_h);
  return (
    <div className="sections">
      <header className="page-head">
        <h1>Dashboard</h1>
        <span className="grow" />
        <div className="segments" role="group" aria-label="Window">
          {WINDOWS.map(({ hours, words }) => (
            <Link
              key={hours}
              to="/"
              search={{ window_h: hours } as never}
              className="segment"
              aria-current={Number(hours) === window_h || undefined}
            >
              {words}
            </Link>
          ))}
        </div>
      </header>
      {stats.isError && !stats.data && <Failed error={stats.error} again={() => void stats.refetch()} />}
      {stats.isPending && <Loading />}
      {stats.data &&
        (PARTS.some((part) => stats.data[part]) ? (
          <>
            {stats.data.incidents && <Incidents figures={stats.data.incidents} window_h={window_h} />}
            <Others stats={stats.data} />
          </>
        ) : (
          <Empty title="Nothing here is for you">An administrator can give you a role that reads incidents.</Empty>
        ))}
    </div>
  );
}

/** The figures, asked for again after events, gathered. */
function useStatistics(window_h: number) {
  const queries = useQueryClient();
  const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
  const again = useRef<ReturnType<typeof setTimeout>>(undefined);
  const upTo = useRef(0);
  useEffect(() => () => clearTimeout(again.current), []);
  const changed = ({ seq }: { seq: number }) => {
    upTo.current = Math.max(upTo.current, seq);
    again.current ??= setTimeout(() => {
      again.current = undefined;
      void queries.invalidateQueries({ queryKey: ['dashboard'] });
    }, AGAIN_MS);
  };
  // Not the log lines: they come all the time, and a thousand panels that ask each second are what this is not.
  useSSE('incident.*', changed);
  useSSE('server.status.changed', changed);
  useSSE('automation.*', changed);
  useSSE('notification.*', changed);
  return useQuery({
    queryKey: ['dashboard', window_h, time_zone],
    // Seen again after an absence, it may have missed events while nothing listened.
    refetchOnMount: 'always',
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const query = { window_h, time_zone, ...(upTo.current ? { min_seq: upTo.current } : {}) };
      return accepted(await api.GET('/api/v1/dashboard/stats', { params: { query }, signal }));
    },
  });
}

function Incidents({ figures, window_h }: { figures: Schemas['DashboardIncidents']; window_h: number }) {
  const navigate = useNavigate();
  const { open, trend, time_to_acknowledge, time_to_resolve } = figures;
  const times_s = useMemo(() => trend.map(({ at }) => Date.parse(at) / 1000), [trend]);
  const lines = useMemo<Line[]>(
    () => [
      { name: 'reported', colour: '--accent', values: trend.map(({ created }) => created) },
      { name: 'resolved', colour: '--good', values: trend.map(({ resolved }) => resolved) },
    ],
    [trend],
  );
  const created = trend.reduce((sum, each) => sum + each.created, 0);
  const resolved = trend.reduce((sum, each) => sum + each.resolved, 0);
  const pick = (at: number) => {
    const search = { created_from: trend[at]?.at, created_before: trend[at + 1]?.at, status: STATUSES_ALL };
    void navigate({ to: '/incidents', search: search as never });
  };
  return (
    <>
      <div className="tiles">
        <Tile name="Open incidents" value={<Link to="/incidents">{open.total}</Link>}>
          <Link to="/incidents" search={{ assignee: '' } as never}>
            without assignee
          </Link>
        </Tile>
        <TimeTile name="Time to acknowledge" time={time_to_acknowledge} />
        <TimeTile name="Time to resolve" time={time_to_resolve} />
        <Tile name="In this window" value={`${created} / ${resolved}`}>
          reported / resolved
        </Tile>
      </div>
      <div className="halves">
        <Bars title="Open by severity" of={SEVERITIES} counts={open.by_severity} total={open.total} kind="severity" />
        <Bars title="Open by status" of={OPEN} counts={open.by_status} total={open.total} kind="status" />
      </div>
      <section className="section">
        <h2>Reported and resolved, {window_h <= 48 ? 'by hour' : 'by day'}</h2>
        <Chart
          label={`Incidents: ${created} reported and ${resolved} resolved in this window. Choose a time to list those reported then.`}
          times_s={times_s}
          lines={lines}
          onPick={pick}
        />
        <p className="soft">A click lists the incidents reported then. Times are of your zone.</p>
      </section>
    </>
  );
}

/** What other modules count, for whom may see it. */
function Others({
  stats: { servers, automations, notifications, logs, streams },
}: {
  stats: Schemas['DashboardStats'];
}) {
  if (!servers && !automations && !notifications && !logs && !streams) return null;
  return (
    <div className="tiles">
      {servers && (
        <Tile
          name="Servers that answer"
          value={
            <Link to="/servers">
              {servers.by_status.up} of {servers.total}
            </Link>
          }
        >
          <Link to="/servers" search={{ status: 'down' } as never}>
            {servers.by_status.down} down
          </Link>
          , {servers.by_status.maintenance} in maintenance
        </Tile>
      )}
      {automations && (
        <Tile name="Runs that succeed" value={<Link to="/runs">{percent(automations.success)}</Link>}>
          {automations.running + automations.queued} under way,{' '}
          <Link to="/runs" search={{ status: 'waiting_approval' } as never}>
            {automations.waiting_approval} wait for approval
          </Link>
        </Tile>
      )}
      {notifications && (
        <Tile
          name="Notifications that arrive"
          value={<Link to="/notifications">{percent(notifications.success)}</Link>}
        >
          {notifications.failed} failed, {notifications.pending} waiting
        </Tile>
      )}
      {logs && (
        <Tile name="Log lines" value={<Link to="/logs">{logs.lines_per_s.toFixed(1)} per s</Link>}>
          {logs.errors} errors, {logs.warnings} warnings
        </Tile>
      )}
      {streams && (
        <Tile name="Streams" value={<Link to="/system">{streams.open}</Link>}>
          {streams.lagging} lagging, level {streams.level.replaceAll('_', ' ')}
        </Tile>
      )}
    </div>
  );
}

/** A fraction of some; a dash for a fraction of none. */
function percent(fraction: number | null | undefined) {
  return fraction == null ? '–' : `${Math.floor(fraction * 1000) / 10} %`;
}

const STATUSES_ALL = [...OPEN, 'resolved', 'closed', 'cancelled'];

function TimeTile({ name, time }: { name: string; time: Schemas['IncidentTime'] }) {
  return (
    <Tile name={name} value={duration(time.p50_s)}>
      {time.measured > 0 ? `median of ${time.measured}; 9 of 10 within ${duration(time.p90_s)}` : 'in this window'}
    </Tile>
  );
}

function Tile({ name, value, children }: { name: string; value: ReactNode; children?: ReactNode }) {
  return (
    <section className="tile" aria-label={name}>
      <h2>{name}</h2>
      <p className="tile-value">{value}</p>
      <p className="soft">{children}</p>
    </section>
  );
}

function Bars<Name extends Severity | Status>(props: {
  title: string;
  of: readonly Name[];
  counts: Partial<Record<Name, number>>;
  total: number;
  kind: 'severity' | 'status';
}) {
  const { title, of, counts, total, kind } = props;
  return (
    <section className="section">
      <h2>{title}</h2>
      <ul className="bars">
        {of.map((name) => (
          <li key={name}>
            <Link to="/incidents" search={{ [kind]: name } as never} className="bar">
              {kind === 'severity' ? (
                <SeverityChip severity={name as Severity} />
              ) : (
                <StatusChip status={name as Status} />
              )}
              <meter min={0} max={Math.max(1, total)} value={counts[name] ?? 0} aria-label={`${name}`} />
              <strong>{counts[name] ?? 0}</strong>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
