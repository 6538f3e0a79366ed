import { accepted, CommandRefused } from '@signalbox/client/react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { api, isFinal, type Schemas, wordsOf } from '../../api.ts';
import { useMay } from '../../session/session.tsx';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { Icon } from '../../widgets/icon.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { Ago, duration, exactly } from '../../widgets/time.tsx';
import { say } from '../../widgets/toasts.tsx';
import { ServerChip } from '../servers/page.tsx';
import { type Server, serverKey } from '../servers/query.ts';
import { Maintenance } from './maintenance.tsx';
import { Utilization } from './utilization.tsx';

/** One server: whether it answers, how fast, how busy it is. */
export default function ServerPage() {
  const { server: id } = useParams({ strict: false }) as { server: string };
  const server = useQuery({
    queryKey: [...serverKey(id)],
    queryFn: async ({ signal }) =>
      accepted(await api.GET('/api/v1/servers/{server}', { params: { path: { server: id } }, signal })),
  });
  useTitle(server.data?.name ?? 'Server');
  if (server.isError && !server.data) {
    return isFinal(server.error) && server.error instanceof CommandRefused && server.error.problem.status === 404 ? (
      <Empty title="There is no such server">
        <Link to="/servers">All servers</Link>
      </Empty>
    ) : (
      <Failed error={server.error} again={() => void server.refetch()} />
    );
  }
  if (!server.data) return <Loading />;
  return <Shown server={server.data} />;
}

function Shown({ server }: { server: Server }) {
  const queries = useQueryClient();
  const mayWrite = useMay('servers.write');
  const mayReadLogs = useMay('logs.read');
  const test = useMutation({
    mutationFn: async () =>
      accepted(
        await api.POST('/api/v1/servers/{server}/test', {
          params: { path: { server: server.id }, header: { 'Idempotency-Key': crypto.randomUUID() } },
        }),
      ),
    onSuccess: ({ answers, message }) => {
      say(`${server.name}: ${message}`, answers ? 'good' : 'bad');
      void queries.invalidateQueries({ queryKey: serverKey(server.id) });
    },
    onError: (error) => say(`${server.name} was not tested. ${wordsOf(error)}`, 'bad'),
  });
  return (
    <article className="sections">
      <header>
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/servers">
            <Icon name="back" /> Servers
          </Link>
        </nav>
        <div className="incident-marks">
          <ServerChip status={server.status} />
          <span className="soft">
            since <Ago at={server.status_since} suffix=" ago" />
          </span>
          <span className="mono soft">{`${server.host}:${server.port}`}</span>
        </div>
        <h1>{server.name}</h1>
        {server.message && <p className="soft">{server.message}</p>}
        {server.description && <p className="incident-text">{server.description}</p>}
        <div className="actions">
          {mayWrite && !server.deleted && (
            <Button look="primary" disabled={test.isPending} onClick={() => test.mutate()}>
              {test.isPending ? 'Testing …' : 'Test now'}
            </Button>
          )}
          <Link className="button" data-look="plain" to="/incidents" search={{ server: server.name } as never}>
            Open incidents
          </Link>
          {mayReadLogs && (
            <Link className="button" data-look="plain" to="/logs" search={{ server: server.name } as never}>
              Its logs
            </Link>
          )}
          <Link className="button" data-look="plain" to="/events" search={{ stream: `server/${server.id}` } as never}>
            Its events
          </Link>
        </div>
      </header>
      <Answers server={server} />
      <Utilization id={server.id} />
      <Maintenance server={server} />
    </article>
  );
}

/** When it answered, as a bar of beats, and for how much of the time. */
function Answers({ server }: { server: Server }) {
  const params = { path: { server: server.id } };
  const uptime = useQuery({
    queryKey: [...serverKey(server.id), 'uptime'],
    queryFn: async ({ signal }) => accepted(await api.GET('/api/v1/servers/{server}/uptime', { params, signal })),
  });
  const latency = useQuery({
    queryKey: [...serverKey(server.id), 'latency'],
    // Each test is a point; there is no event for one that changed nothing.
    refetchInterval: (server.check.interval_s ?? 60) * 1000,
    queryFn: async ({ signal }) =>
      accepted(
        await api.GET('/api/v1/servers/{server}/latency', { params: { ...params, query: { window: '24h' } }, signal }),
      ),
  });
  return (
    <section className="section">
      <h2>Answers, the last 24 hours</h2>
      {latency.data && <Beats latency={latency.data} />}
      {latency.isPending && <Loading lines={1} />}
      {uptime.data && (
        <p className="lags">
          <Share name="24 hours" uptime={uptime.data.last_24h} />
          <Share name="30 days" uptime={uptime.data.last_30d} />
          <span>
            tested every {duration(server.check.interval_s)} by {server.check.method}
          </span>
        </p>
      )}
    </section>
  );
}

function Share({ name, uptime }: { name: string; uptime: Schemas['Uptime'] }): ReactNode {
  return (
    <span data-any="">
      <strong>{uptime.percent == null ? 'unknown' : `${uptime.percent.toFixed(2)} %`}</strong> up in {name}
      {uptime.down_s > 0 && `, down for ${duration(uptime.down_s)}`}
    </span>
  );
}

/** Steps of the bar; each as many seconds as a step of the answer. */
const SHOWN_S = 86_400;

/** A beat for every step of the last day, also for those in which nothing was tested. */
function onTimeline({ points, step_s }: Schemas['Latency'], now_ms: number) {
  const beats = Math.round(SHOWN_S / step_s);
  const placeOf = (time_ms: number) => Math.floor(time_ms / 1000 / step_s);
  const first = placeOf(now_ms) - beats + 1;
  const found = new Map(points.map((point) => [placeOf(Date.parse(point.at)), point]));
  return Array.from({ length: beats }, (_, beat) => {
    const at = new Date((first + beat) * step_s * 1000).toISOString();
    return found.get(first + beat) ?? { at, tests: 0, failures: 0, connect_avg_ms: null };
  });
}

function Beats({ latency }: { latency: Schemas['Latency'] }) {
  const tested = latency.points.filter(({ tests }) => tests > 0);
  if (tested.length === 0) return <p className="soft">Not tested in this time.</p>;
  const failed = tested.filter(({ failures }) => failures > 0).length;
  const beats = onTimeline(latency, Date.now());
  return (
    <div className="beats" role="img" aria-label={`${tested.length} times tested, ${failed} with failures`}>
      {beats.map(({ at, tests, failures, connect_avg_ms }) => (
        <span
          key={at}
          data-beat={tests === 0 ? 'none' : failures === 0 ? 'good' : failures < tests ? 'some' : 'bad'}
          title={`${exactly(at)}: ${tests} tests, ${failures} failed${
            connect_avg_ms == null ? '' : `, ${connect_avg_ms.toFixed(1)} ms`
          }`}
        />
      ))}
    </div>
  );
}
