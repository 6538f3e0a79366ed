import createClient, { type Client, type Middleware } from 'openapi-fetch';

import { type AuthOptions, createAuth } from './auth.ts';
import type { paths } from './generated/openapi.ts';
import { outside } from './world.ts';

export type { components, paths } from './generated/openapi.ts';

/**
 * The whole API, typed from openapi/openapi.json, with the rights that `connect` would have. A request refused with
 * 401 is sent once more with a new token: nothing happened the first time.
 */
export function createApi(options: { url?: string } & Pick<AuthOptions, 'token' | 'refresh'> = {}): Client<paths> {
  const base = (options.url ?? globalThis.location?.origin ?? '').replace(/\/+$/, '');
  const auth = createAuth(options, base, outside);
  const send = async (request: Request): Promise<Response> => {
    const init = await auth.sign({});
    return fetch(
      init
        ? new Request(request, { ...init, headers: { ...Object.fromEntries(request.headers), ...init.headers } })
        : request,
    );
  };
  return createClient<paths>({
    baseUrl: base,
    fetch: async (request) => {
      const again = request.clone();
      const response = await send(request);
      return response.status === 401 && (await auth.renew()) ? send(again) : response;
    },
  });
}

export type { Client, Middleware };
