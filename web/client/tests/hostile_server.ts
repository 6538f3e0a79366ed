import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const EPOCH = '6f1c2c0e-0000-4000-8000-000000000001';

/** What a request is answered with. */
export type Act = (response: ServerResponse, request: IncomingMessage, url: URL) => void;

/** A server on loopback that does what a test says, in place of a server that misbehaves. */
export interface Hostile {
  url: string;
  /** Answers streams from now on; `[…]` one after the other, and the last one ever after. */
  streams: Act[];
  /** Answers pages. */
  pages: Act[];
  /** Answers everything else. */
  others: Act;
  /** Requests for streams that came, the last one last. */
  readonly opened: Seen[];
  readonly polled: Seen[];
  /** The last stream's answer, to write on. */
  readonly last: ServerResponse;
  /** Connections of streams that are open. */
  readonly live: number;
  /** Polls that wait for their answer. */
  readonly waiting: number;
  close(): Promise<void>;
}

interface Seen {
  url: URL;
  headers: IncomingMessage['headers'];
}

export async function hostile(streams: Act[], pages: Act[] = [page([])]): Promise<Hostile> {
  const live = new Set<ServerResponse>();
  const waiting = new Set<ServerResponse>();
  let last: ServerResponse | undefined;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://test');
    if (url.pathname.startsWith('/api/v1/events/stream')) {
      self.opened.push({ url, headers: request.headers });
      last = response;
      live.add(response);
      response.on('close', () => live.delete(response));
      (self.streams.length > 1 ? self.streams.shift() : self.streams[0])?.(response, request, url);
    } else if (url.pathname === '/api/v1/events') {
      self.polled.push({ url, headers: request.headers });
      waiting.add(response);
      response.on('close', () => waiting.delete(response));
      (self.pages.length > 1 ? self.pages.shift() : self.pages[0])?.(response, request, url);
    } else self.others(response, request, url);
  });
  const self: Hostile = {
    url: '',
    streams,
    pages,
    others: (response) => response.writeHead(404).end(),
    opened: [],
    polled: [],
    get last() {
      if (!last) throw new Error('no stream was asked for yet');
      return last;
    },
    get live() {
      return live.size;
    },
    get waiting() {
      return waiting.size;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  self.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return self;
}

// ---- Acts

/** Opens a stream with these bytes, and leaves it open. */
export const stream =
  (...chunks: (string | Buffer)[]): Act =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.flushHeaders();
    for (const chunk of chunks) response.write(chunk);
  };

/** The same, and ends it. */
export const streamThenEnd =
  (...chunks: string[]): Act =>
  (response, ...rest) => {
    stream(...chunks)(response, ...rest);
    response.end();
  };

/** The same, and resets the connection as soon as the bytes are out. */
export const streamThenCut =
  (...chunks: string[]): Act =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunks.join(''), () => response.socket?.resetAndDestroy());
  };

export const cut: Act = (response) => response.socket?.resetAndDestroy();

/** Says nothing, not even no. */
export const mute: Act = () => {};

export const refuse =
  (status: number, code: string, more: { retryAfter?: string; allowed?: string[] } = {}): Act =>
  (response) => {
    const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
    if (more.retryAfter) headers['retry-after'] = more.retryAfter;
    response.writeHead(status, headers);
    const { allowed } = more;
    response.end(JSON.stringify({ type: `urn:${code}`, title: code, status, code, detail: `no: ${code}`, allowed }));
  };

/** One page of events; without any it waits like the server, until the test ends. */
export const page =
  (seqs: number[], options: { next?: number; head?: number; wait?: boolean } = {}): Act =>
  (response, _request, url) => {
    if (options.wait && url.searchParams.has('wait')) return;
    const head = options.head ?? seqs.at(-1) ?? 0;
    response.writeHead(200, {
      'content-type': 'application/json',
      'signalbox-seq': String(head),
      'signalbox-epoch': EPOCH,
    });
    const after = Number(url.searchParams.get('after') ?? 0);
    const items = seqs.filter((seq) => seq > after).map((seq) => body(seq));
    response.end(JSON.stringify({ items, next: options.next ?? Math.max(after, head) }));
  };

// ---- Frames

export const OPENING = 'retry: 9000\n: Signalbox\n\n';

/** An event, complete enough. */
export function body(seq: number, type = 'incident.commented', data: object = { text: `number ${seq}` }) {
  const stream = 'incident/7';
  return { seq, id: `id-${seq}`, type, stream, version: seq, data, recorded_at: '2026-01-01T00:00:00Z' };
}

export const event = (seq: number, type?: string, data?: object): string => {
  const one = body(seq, type, data);
  return `id: ${seq}\nevent: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`;
};

export const ready = (seq: number, epoch = EPOCH): string =>
  `id: ${seq}\nevent: ready\ndata: ${JSON.stringify({ seq, epoch })}\n\n`;

export const bye = (reason: string, retry_ms = 2_000, reconnect = true): string =>
  `retry: ${retry_ms}\nevent: bye\ndata: ${JSON.stringify({ reason, reconnect })}\n\n`;
