import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createApi } from '../src/api.ts';
import { createAuth, refreshCookie } from '../src/auth.ts';
import { type Hostile, hostile, mute, refuse } from './hostile_server.ts';
import { lockManager } from './locks.ts';
import { manualWorld } from './manual_world.ts';

let server: Hostile;

beforeEach(async () => {
  server = await hostile([mute]);
});

afterEach(async () => {
  await server.close();
  vi.unstubAllGlobals();
});

test('all who find the token expired at once renew it once', async () => {
  let renewals = 0;
  const token = async (expired: boolean) => (expired ? `token ${(renewals += 1)}` : 'old');
  const auth = createAuth({ token }, server.url, manualWorld());
  expect(await Promise.all([auth.renew(), auth.renew(), auth.renew()])).toEqual([true, true, true]);
  expect(renewals).toBe(1);
  expect(await auth.sign({})).toMatchObject({ headers: { Authorization: 'Bearer token 1' } });
});

test('tabs that share a cookie take turns, and only the first of them shows the refresh token', async () => {
  vi.stubGlobal('navigator', { locks: lockManager() });
  let fresh = false;
  const shown: string[] = [];
  server.others = (response, _request, url) => {
    if (url.pathname === '/api/v1/me') return response.writeHead(fresh ? 200 : 401).end('{}');
    shown.push(url.pathname);
    fresh = true;
    return response.writeHead(200).end('{}');
  };
  const all = [refreshCookie(server.url), refreshCookie(server.url), refreshCookie(server.url)];
  expect(await Promise.all(all)).toEqual([true, true, true]);
  expect(shown).toEqual(['/api/v1/auth/refresh']);
});

test('a session that is over is told from a server that is away', async () => {
  server.others = refuse(401, 'unauthorized');
  expect(await refreshCookie(server.url)).toBe(false);
  server.others = refuse(503, 'database_unavailable');
  await expect(refreshCookie(server.url)).rejects.toThrow('503');
});

test('a request of the API that is refused for its token is sent once more with a new one', async () => {
  const seen: (string | undefined)[] = [];
  server.others = (response, request) => {
    seen.push(request.headers.authorization);
    const good = request.headers.authorization === 'Bearer new';
    response.writeHead(good ? 200 : 401, { 'content-type': 'application/json' }).end('{"items":[]}');
  };
  const api = createApi({ url: server.url, token: async (expired) => (expired ? 'new' : 'old') });
  const { response } = await api.POST('/api/v1/incidents', { body: { title: 'x' } });
  expect(response.status).toBe(200);
  expect(seen).toEqual(['Bearer old', 'Bearer new']);
});
