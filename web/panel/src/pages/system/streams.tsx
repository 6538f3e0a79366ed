import { accepted } from '@signalbox/client/react';
import { useInfiniteQuery } from '@tanstack/react-query';

import { api, type Schemas } from '../../api.ts';
import { Button } from '../../widgets/button.tsx';
import { Scroll } from '../../widgets/scroll.tsx';
import { Failed, Loading } from '../../widgets/states.tsx';
import { Ago } from '../../widgets/time.tsx';

/** Asked so often while the page is seen. In ms. */
const LOOK_MS = 5000;

/** Who follows this process, and how far behind each is. */
export function OpenStreams({ byLag }: { byLag: Schemas['LagClass'][] }) {
  const streams = useInfiniteQuery({
    queryKey: ['system', 'streams'],
    refetchInterval: LOOK_MS,
    initialPageParam: undefined as number | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const query = pageParam === undefined ? {} : { after: pageParam };
      return accepted(await api.GET('/api/v1/system/streams', { params: { query }, signal }));
    },
    getNextPageParam: ({ next }) => next ?? undefined,
  });
  const rows = streams.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <section className="section">
      <h2>Streams of this process</h2>
      <p className="lags">
        {byLag.map(({ from, streams: count }, at) => (
          <span key={from} data-any={count > 0 || undefined}>
            <strong>{count}</strong> {lagWords(from, byLag[at + 1]?.from)}
          </span>
        ))}
      </p>
      {streams.isError && !streams.data && <Failed error={streams.error} again={() => void streams.refetch()} />}
      {streams.isPending && <Loading lines={2} />}
      {streams.data && rows.length === 0 && <p className="soft">None is open.</p>}
      {rows.length > 0 && (
        <Scroll label="Open streams">
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">User</th>
                <th scope="col">From</th>
                <th scope="col">Open for</th>
                <th scope="col">Cursor</th>
                <th scope="col">Behind</th>
                <th scope="col">Asks for</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.number}>
                  <th scope="row">{one.username ?? one.user}</th>
                  <td className="mono">{one.remote}</td>
                  <td>
                    <Ago at={one.opened_at} />
                  </td>
                  <td className="mono">{one.cursor}</td>
                  <td>{one.lag}</td>
                  <td className="mono">{one.stream ?? (one.types.join(', ') || 'all')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {streams.hasNextPage && <Button onClick={() => void streams.fetchNextPage()}>More</Button>}
    </section>
  );
}

function lagWords(from: number, next: number | undefined): string {
  if (from === 0 && next === 1) return 'current';
  return next === undefined ? `${from} or more behind` : `${from} to ${next - 1} behind`;
}
