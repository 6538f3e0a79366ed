import type { World } from './world.ts';

/** How requests say who they are from. Without `token` and `ticket`: by the cookie that signing in sets. */
export interface AuthOptions {
  /**
   * An access token, or what gives one; asked before each request. `expired`: the last one was refused, so get
   * another. `null`: signed out, which ends the connection. What it throws is tried again.
   */
  token?: string | ((expired: boolean) => string | null | Promise<string | null>);
  /** Gives a one-time stream id, asked before each attempt. There is no polling then. */
  ticket?: () => Promise<string>;
  /** With a cookie: renews it. False: signed out. By default `POST /api/v1/auth/refresh`. */
  refresh?: () => Promise<boolean>;
}

/** Who asks, kept fresh. */
export interface Auth {
  /** Adds what a request needs. Null: signed out. */
  sign(init: RequestInit): Promise<RequestInit | null>;
  /** Gets new rights, once for all who ask meanwhile. False: signed out. Throws when that cannot be known now. */
  renew(): Promise<boolean>;
}

export function createAuth(options: AuthOptions, base: string, world: World): Auth {
  const { token, ticket } = options;
  let fresh: string | null | undefined; // from a renewal, for the next request
  let renewing: Promise<boolean> | undefined;
  const renewal = async (): Promise<boolean> => {
    if (ticket) return true; // the next attempt takes another one anyway
    if (typeof token === 'string') return false;
    if (token) return (fresh = await token(true)) !== null;
    return (options.refresh ?? (() => refreshCookie(base, world.fetch)))();
  };
  return {
    async sign(init) {
      if (ticket) return { ...init, credentials: 'omit' };
      if (token === undefined) return { ...init, credentials: 'same-origin' };
      const taken = fresh;
      fresh = undefined;
      const bearer = taken ?? (typeof token === 'string' ? token : await token(false));
      if (bearer === null) return null;
      const headers = { ...init.headers, Authorization: `Bearer ${bearer}` };
      return { ...init, headers, credentials: 'omit' };
    },
    renew: () => (renewing ??= renewal().finally(() => (renewing = undefined))),
  };
}

/**
 * Renews the sign-in that is kept in cookies. False: it is over. Throws when that cannot be known now.
 *
 * A refresh token shown twice ends the session, and all tabs share one: so they take turns, and whoever finds that
 * another tab was faster does nothing.
 */
export async function refreshCookie(base: string, request: typeof fetch = fetch): Promise<boolean> {
  const locks = globalThis.navigator?.locks;
  const refresh = async () => {
    const me = await request(`${base}/api/v1/me`, { credentials: 'same-origin' });
    if (me.ok) return true;
    const response = await request(`${base}/api/v1/auth/refresh`, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json' },
      body: '{}',
    });
    if (response.status >= 500 || response.status === 429) throw new Error(`refresh: ${response.status}`);
    return response.ok;
  };
  return locks ? locks.request(`signalbox refresh ${base}`, refresh) : refresh();
}
