import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { api } from '../../api.ts';
import { Chart, type Line } from '../../widgets/chart.tsx';
import { Loading } from '../../widgets/states.tsx';
import { serverKey } from '../servers/query.ts';

/** How busy a server said it was. */
export function Utilization({ id }: { id: string }) {
  const utilization = useQuery({
    queryKey: [...serverKey(id), 'utilization'],
    queryFn: async ({ signal }) => {
      const params = { path: { server: id }, query: { window: '24h' as const } };
      return accepted(await api.GET('/api/v1/servers/{server}/utilization', { params, signal })).points;
    },
  });
  const points = utilization.data;
  const times_s = useMemo(() => points?.map(({ at }) => Date.parse(at) / 1000) ?? [], [points]);
  const lines = useMemo<Line[]>(
    () => [
      { name: 'CPU %', colour: '--accent', values: points?.map(({ cpu_avg }) => cpu_avg) ?? [] },
      { name: 'memory %', colour: '--good', values: points?.map(({ memory_avg }) => memory_avg) ?? [] },
      { name: 'disk %', colour: '--warn', values: points?.map(({ disk_avg }) => disk_avg) ?? [] },
    ],
    [points],
  );
  const last = points?.[points.length - 1];
  return (
    <section className="section">
      <h2>Utilisation, the last 24 hours</h2>
      {utilization.isPending && <Loading lines={3} />}
      {points && !last && <p className="soft">It has reported nothing in this time.</p>}
      {last && (
        <Chart
          label={`Last: CPU ${last.cpu_avg.toFixed(0)} %, memory ${last.memory_avg.toFixed(0)} %, disk ${last.disk_avg.toFixed(0)} %`}
          times_s={times_s}
          lines={lines}
          most={100}
          span_s={86_400}
        />
      )}
    </section>
  );
}
