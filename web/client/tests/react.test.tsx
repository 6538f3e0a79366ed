// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { type ReactNode, StrictMode, act, useState } from 'react';
import { type Root, createRoot } from 'react-dom/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import {
  CommandRefused,
  ConnectionProvider,
  ConnectionStatus,
  accepted,
  rule,
  useOptimisticCommand,
  useQueryEvents,
  useSSE,
} from '../src/react/index.ts';
import { handConnection } from './hand_connection.ts';
import { body } from './hostile_server.ts';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

let hand: ReturnType<typeof handConnection>;
let client: QueryClient;
let root: Root;
let page: HTMLElement;

beforeEach(() => {
  vi.useFakeTimers();
  hand = handConnection();
  client = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity, retry: false } } });
  page = document.createElement('main');
  root = createRoot(page);
});

afterEach(async () => {
  await act(async () => root.unmount());
  client.clear();
  vi.useRealTimers();
});

const show = (what: ReactNode) =>
  act(async () =>
    root.render(
      <StrictMode>
        <QueryClientProvider client={client}>
          <ConnectionProvider connection={hand.connection}>{what}</ConnectionProvider>
        </QueryClientProvider>
      </StrictMode>,
    ),
  );
const pass = (ms: number) => act(async () => void (await vi.advanceTimersByTimeAsync(ms)));
const tell = (event: object) => act(async () => hand.tell(event));

// ---- Events and state

test('a component hears the events of its pattern, by its newest handler, and once also in strict mode', async () => {
  const heard: string[] = [];
  function Counter() {
    const [count, setCount] = useState(0);
    useSSE('incident.*', ({ seq }) => {
      heard.push(`${seq} after ${count}`);
      setCount(count + 1);
    });
    return <b>{count}</b>;
  }
  await show(<Counter />);
  await tell(body(1));
  await tell(body(2, 'user.created'));
  await tell(body(3));
  expect(heard).toEqual(['1 after 0', '3 after 1']);
  expect(page.textContent).toBe('2');
  await show(null);
  await tell(body(4));
  expect(heard).toHaveLength(2);
});

test('the badge says the state to screen readers, and the age of the newest event to eyes', async () => {
  await show(<ConnectionStatus labels={{ polling: 'Asking' }} />);
  expect(page.querySelector('[role=status]')?.textContent).toBe('Reconnecting');
  await act(async () => hand.become('live'));
  expect(page.querySelector('[data-state]')?.getAttribute('data-state')).toBe('live');
  await tell(body(1));
  await pass(3_000);
  expect(page.textContent).toBe('Live · 3 s ago');
  await pass(177_000);
  expect(page.textContent).toBe('Live · 3 min ago');
  await act(async () => hand.become('polling'));
  expect(page.querySelector('[role=status]')?.textContent).toBe('Asking');
});

// ---- Queries

/** Comments can be patched in, by the registry's word; what was created cannot. */
const RULES = [
  rule('incident.*', { invalidate: (event) => [['incidents'], ['incident', event.stream]] }),
  rule('incident.commented', {
    patch(queries, event) {
      queries.setQueryData<number>(['comments'], (count = 0) => count + (event.data.text ? 1 : 0));
    },
  }),
  rule('incident.created', {
    patch(queries) {
      queries.setQueryData<number>(['created'], (count = 0) => count + 1);
    },
  }),
];

function Incidents({ load }: { load: () => Promise<string> }) {
  useQueryEvents(RULES);
  const { data } = useQuery({ queryKey: ['incidents', { status: 'open' }], queryFn: load });
  return <b>{data}</b>;
}

test('a burst of events costs each stale query one request', async () => {
  let loads = 0;
  await show(<Incidents load={async () => `load ${(loads += 1)}`} />);
  await act(async () => hand.become('live'));
  for (let seq = 1; seq <= 50; seq += 1) await tell(body(seq, 'incident.created'));
  await pass(200);
  expect(loads).toBe(2);
  expect(page.textContent).toBe('load 2');
  expect(client.getQueryData(['created']), 'patched all the same, at once').toBe(50);
});

test('what an event says whole is patched in without a request', async () => {
  let loads = 0;
  await show(<Incidents load={async () => `load ${(loads += 1)}`} />);
  await act(async () => hand.become('live'));
  for (let seq = 1; seq <= 50; seq += 1) await tell(body(seq, 'incident.commented'));
  await pass(200);
  expect([loads, client.getQueryData(['comments'])]).toEqual([1, 50]);
  await tell(body(51, 'incident.assigned'));
  await pass(200);
  expect(loads, 'it could be patched in, but nobody did').toBe(2);
});

test('while the connection catches up nothing is loaded, and then once', async () => {
  let loads = 0;
  await act(async () => hand.become('replaying'));
  await show(<Incidents load={async () => `load ${(loads += 1)}`} />);
  await tell(body(1, 'incident.created'));
  await pass(1_000);
  await tell(body(2, 'incident.created'));
  await pass(1_000);
  expect(loads).toBe(1);
  await act(async () => hand.become('live'));
  await pass(200);
  expect(loads).toBe(2);
});

test('after a reset everything that is shown is loaded again', async () => {
  let loads = 0;
  await show(<Incidents load={async () => `load ${(loads += 1)}`} />);
  await act(async () => hand.reset());
  await pass(0);
  expect(loads).toBe(2);
});

test('a patch that fails is mended by loading', async () => {
  const failing = [
    rule('incident.commented', {
      invalidate: () => [['incidents']],
      patch() {
        throw new Error('patch');
      },
    }),
  ];
  let loads = 0;
  function View() {
    useQueryEvents(failing);
    const { data } = useQuery({ queryKey: ['incidents'], queryFn: async () => (loads += 1) });
    return <b>{data}</b>;
  }
  await act(async () => hand.become('live'));
  await show(<View />);
  await tell(body(1));
  await pass(200);
  expect(loads).toBe(2);
  expect(String(hand.errors[0])).toContain('patch');
});

// ---- Commands

interface Card {
  version: number;
  title: string;
}

type Send = (title: string, headers: Record<string, string>) => Promise<Card>;

const CARD = ['card'];
const card = () => client.getQueryData<Card>(CARD);
/** What `GET /card` would give, for when it is loaded again. */
let truth: Card;
/** When it would. */
let loading: Promise<void>;
let rename: (title: string) => void;
let outcome: string;

async function showCard(send: Send) {
  truth = { version: 3, title: 'old' };
  loading = Promise.resolve();
  function View() {
    const { data } = useQuery({ queryKey: CARD, queryFn: () => loading.then(() => truth) });
    const command = useOptimisticCommand<string, Card>({
      queryKey: () => CARD,
      apply: (one, title) => ({ ...one, title }),
      send,
    });
    rename = command.mutate;
    outcome = command.status;
    return <b>{data?.title}</b>;
  }
  await show(<View />);
  await pass(0);
}

const refusal = (status: number, code: string) =>
  new CommandRefused({ type: `urn:${code}`, title: code, status, code, detail: `no: ${code}` });

test('a command shows at once, names what it saw, and is confirmed by the answer', async () => {
  let answer = (_card: Card) => {};
  let sent: Record<string, string> = {};
  await showCard((_title, headers) => {
    sent = headers;
    return new Promise((resolve) => (answer = resolve));
  });
  await act(async () => rename('new'));
  await pass(0);
  expect(page.textContent).toBe('new');
  expect(card()).toEqual({ version: 3, title: 'new' });
  expect(sent['If-Match']).toBe('"3"');
  expect(sent['Idempotency-Key']).toMatch(/^[0-9a-f-]{36}$/);
  await act(async () => answer({ version: 4, title: 'NEW' }));
  await pass(0);
  expect(card()).toEqual({ version: 4, title: 'NEW' });
  expect(outcome).toBe('success');
});

test('a refused command is taken back', async () => {
  await showCard(async () => {
    throw refusal(409, 'illegal');
  });
  await act(async () => rename('new'));
  await pass(0);
  expect(page.textContent).toBe('old');
  expect(outcome).toBe('error');
});

test('taking back leaves alone what others did meanwhile', async () => {
  let refuse = (_error: Error) => {};
  await showCard(() => new Promise((_resolve, reject) => (refuse = reject)));
  await act(async () => rename('new'));
  truth = { version: 4, title: 'by another' };
  await act(async () => void client.setQueryData(CARD, truth)); // as an event does
  loading = new Promise(() => {}); // so that what is seen is not what was loaded again
  await act(async () => refuse(refusal(412, 'version_conflict')));
  expect(card()).toEqual({ version: 4, title: 'by another' });
  await pass(0);
  expect(page.textContent).toBe('by another');
});

test('an answer older than what the stream told meanwhile changes nothing', async () => {
  let answer = (_card: Card) => {};
  await showCard(() => new Promise((resolve) => (answer = resolve)));
  await act(async () => rename('new'));
  await act(async () => void client.setQueryData(CARD, { version: 5, title: 'later' }));
  await act(async () => answer({ version: 4, title: 'new' }));
  await pass(0);
  expect(card()).toEqual({ version: 5, title: 'later' });
});

test('a lost answer is asked for again under the same key', async () => {
  const keys: (string | undefined)[] = [];
  await showCard(async (title, headers) => {
    keys.push(headers['Idempotency-Key']);
    if (keys.length < 3) throw new TypeError('network');
    return { version: 4, title };
  });
  await act(async () => rename('new'));
  await pass(10_000);
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  expect(card()).toEqual({ version: 4, title: 'new' });
});

test('where no answer comes, the own event on the stream confirms', async () => {
  let trace = '';
  await showCard(async (_title, headers) => {
    trace = headers['traceparent']?.split('-')[1] ?? '';
    throw new TypeError('network');
  });
  await act(async () => rename('new'));
  truth = { version: 4, title: 'new' };
  await tell({ ...body(9), trace_id: trace });
  await pass(0);
  expect(outcome).toBe('success');
  expect(card()).toEqual(truth);
});

test('a command whose outcome stays unknown is given up and taken back', async () => {
  let sends = 0;
  await showCard(async () => {
    sends += 1;
    throw new TypeError('network');
  });
  await act(async () => rename('new'));
  await pass(120_000);
  expect(sends).toBe(5);
  expect(outcome).toBe('error');
  expect(page.textContent).toBe('old');
});

test('an answer of the API is the resource, or the server’s no', () => {
  const response = new Response(null, { status: 409 });
  expect(accepted({ data: { version: 1 }, response })).toEqual({ version: 1 });
  const { problem } = refusal(409, 'illegal');
  expect(() => accepted({ error: problem, response })).toThrow('no: illegal');
  expect(() => accepted({ response })).toThrow('status 409');
});
