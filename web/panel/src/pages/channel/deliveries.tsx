import { accepted } from '@signalbox/client/react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';

import { api, type Schemas } from '../../api.ts';
import { oneOf } from '../../shell/search.ts';
import { Button } from '../../widgets/button.tsx';
import { useGlow } from '../../widgets/glow.ts';
import { Failed, Loading } from '../../widgets/states.tsx';
import { Icon } from '../../widgets/icon.tsx';
import { Ago, exactly, Until } from '../../widgets/time.tsx';
import { deliveriesKey, type Delivery, rulesQuery } from '../notifications/query.ts';

const STATUSES = ['pending', 'sent', 'failed', 'skipped'] as const;
/**
 * While something waits, it is asked so often: what comes into the queue behind it is no event. Whatever becomes of it
 * is one, and appears at once. In ms.
 */
const LOOK_MS = 15_000;

/** What became of what the channel was to send. */
export function Deliveries({ channel }: { channel: string }) {
  const navigate = useNavigate();
  const { status } = oneOf('status', useSearch({ strict: false }) as Record<string, unknown>, STATUSES);
  const rules = useQuery(rulesQuery).data;
  const list = useInfiniteQuery({
    queryKey: [...deliveriesKey(channel), status],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }): Promise<Schemas['NotificationDeliveries']> => {
      const query = { ...(status && { status }), ...(pageParam && { cursor: pageParam }) };
      const params = { path: { channel }, query };
      return accepted(await api.GET('/api/v1/notification-channels/{channel}/deliveries', { params, signal }));
    },
    refetchInterval: ({ state }) =>
      state.data?.pages.some(({ items }) => items.some((one) => one.status === 'pending')) ? LOOK_MS : false,
    getNextPageParam: ({ next }) => next ?? undefined,
  });
  const all = list.data?.pages.flatMap(({ items }) => items) ?? [];
  const show = (one: string | undefined) =>
    void navigate({ to: `/notifications/${channel}`, search: { status: one } as never, replace: true });
  return (
    <section className="section">
      <header className="section-head">
        <h2>Deliveries</h2>
        <div className="segments" role="group" aria-label="Which">
          {[undefined, ...STATUSES].map((one) => (
            <button
              key={one ?? 'all'}
              type="button"
              className="segment"
              aria-current={one === status || undefined}
              onClick={() => show(one)}
            >
              {one ?? 'all'}
            </button>
          ))}
        </div>
      </header>
      {list.isError && !list.data && <Failed error={list.error} again={() => void list.refetch()} />}
      {list.isPending && <Loading lines={4} />}
      {list.data && all.length === 0 && (
        <p className="soft">{status ? `None is ${status}.` : 'None yet. What a rule sends here appears by itself.'}</p>
      )}
      <ol className="deliveries" aria-label="Deliveries">
        {all.map((one) => (
          <Row key={one.id} delivery={one} rule={rules?.find(({ id }) => id === one.rule)?.name} />
        ))}
      </ol>
      {list.hasNextPage && (
        <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Older
        </Button>
      )}
    </section>
  );
}

/** What the server's words for a reason mean to people. */
const REASONS: Record<string, string> = {
  channel_disabled: 'the channel was off',
  queue_full: 'too many were waiting',
  answered: 'the receiver said no',
  refused: 'the receiver will not have this one',
  gone: 'the receiver says that it is gone',
  redirected: 'the receiver points elsewhere, which is not followed',
  timeout: 'no answer in time',
  connection: 'no connection',
};

export const reasonOf = (reason: string) => REASONS[reason] ?? reason.replaceAll('_', ' ');

function Row({ delivery, rule }: { delivery: Delivery; rule: string | undefined }) {
  const { id, status, reason, cause, event_seq, created_at, next_attempt_at, attempts } = delivery;
  const row = useGlow<HTMLLIElement>(`${status} ${attempts.length}`);
  return (
    <li ref={row} data-delivery={id}>
      <details>
        <summary>
          <span className="chip" data-status={status}>
            <span className="chip-mark" aria-hidden="true" />
            {status}
          </span>
          <span>
            {event_seq == null ? 'a test' : `event ${event_seq}`}
            {rule && <span className="soft">, {rule}</span>}
            {cause === 'replay' && <span className="soft">, replayed</span>}
          </span>
          <span className="soft delivery-why">
            {reason ? reasonOf(reason) : status === 'pending' && 'waits for its turn'}
            {status === 'pending' && next_attempt_at && attempts.length > 0 && (
              <>
                , again in <Until at={next_attempt_at} />
              </>
            )}
          </span>
          <span className="soft">
            <Ago at={created_at} />
          </span>
          <Icon name="chevron" />
        </summary>
        <div className="delivery">
          {attempts.length === 0 && <p className="soft">Nothing was tried.</p>}
          <ol aria-label="Attempts">
            {attempts.map((attempt) => (
              <Attempt key={attempt.attempt} attempt={attempt} />
            ))}
          </ol>
          {event_seq != null && (
            <Link to="/events" search={{ seq: event_seq } as never}>
              The event
            </Link>
          )}
        </div>
      </details>
    </li>
  );
}

function Attempt({ attempt: one }: { attempt: Schemas['NotificationAttempt'] }) {
  const { attempt, at, outcome, reason, detail, response, latency_ms } = one;
  return (
    <li>
      <span data-tone={outcome === 'sent' ? 'good' : 'bad'}>
        <strong className="tone">{`${attempt}. ${outcome}`}</strong>
      </span>{' '}
      <span className="soft">{exactly(at)}</span> {[reason && reasonOf(reason), detail].filter(Boolean).join(': ')}{' '}
      <span className="soft">in {latency_ms} ms</span>
      {response && (
        <pre className="json" tabIndex={0} aria-label="The receiver's answer">
          {response}
        </pre>
      )}
    </li>
  );
}
