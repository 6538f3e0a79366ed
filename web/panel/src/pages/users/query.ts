import { accepted, rule } from '@signalbox/client/react';
import { type QueryKey, useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';

import { api, isFinal, type Schemas } from '../../api.ts';

export type User = Schemas['User'];
export type Role = Schemas['Role'];

/** Users of an answer, the most there are. */
const PAGE_USERS = 200;

export const KINDS = ['person', 'service_account'] as const;
export const STATES = ['active', 'disabled'] as const;

/** What the address says to list. */
export interface UserFilter {
  q?: string;
  role?: string;
  kind?: (typeof KINDS)[number];
  state?: (typeof STATES)[number];
}

/** Who there is, by user name. */
export function usersQuery({ state, ...filter }: UserFilter) {
  return {
    queryKey: ['users', filter, state],
    queryFn: async ({ signal }: { signal: AbortSignal }) => {
      const items: User[] = [];
      let cursor: string | null | undefined;
      do {
        const disabled = state === undefined ? {} : { disabled: state === 'disabled' };
        const query = { ...filter, ...disabled, limit: PAGE_USERS, ...(cursor ? { cursor } : {}) };
        const page: Schemas['UserPage'] = accepted(await api.GET('/api/v1/users', { params: { query }, signal }));
        items.push(...page.items);
        cursor = page.next;
      } while (cursor);
      return items;
    },
  };
}

/** What is asked about one user, under one key. */
export const userKey = (id: string) => ['user', id] as const;

/** All roles, and all permissions that there are. */
export const rolesQuery = {
  queryKey: ['roles'],
  queryFn: async ({ signal }: { signal: AbortSignal }) => accepted(await api.GET('/api/v1/roles', { signal })),
};

/** What changed is loaded again: users change seldom. Somebody who guesses passwords changes nobody. */
export const userRules = [
  rule('user.*', {
    invalidate: ({ type, stream, data }) => {
      if (type === 'user.sign_in.failed') return [];
      const [kind, id] = stream.split('/');
      if (kind === 'user') return [['users'], userKey(id ?? '')];
      const key = [...userKey((data as { user: string }).user), 'sessions'];
      // The list says when each signed in last.
      return type === 'user.signed_in' ? [key, ['users']] : [key];
    },
  }),
  rule('token.*', { invalidate: ({ data }) => [[...userKey((data as { user: string }).user), 'tokens']] }),
  // What a role allows is a part of what its holders may do.
  rule('role.*', { invalidate: () => [['roles'], ['users'], ['user']] }),
];

/**
 * A command that is repeated under the same key until its outcome is known. Corrected after a refusal it is another
 * one. What it `touches` is loaded again either way.
 */
export function useCommand<Variables, Result>(command: {
  send: (variables: Variables, header: { 'Idempotency-Key': string }) => Promise<Result>;
  touches: QueryKey[];
  onDone?: (result: Result, variables: Variables) => void;
  onRefused?: (error: unknown) => void;
}) {
  const queries = useQueryClient();
  const key = useRef(crypto.randomUUID());
  return useMutation({
    networkMode: 'always',
    mutationFn: (variables: Variables) => command.send(variables, { 'Idempotency-Key': key.current }),
    onSuccess: (result, variables) => command.onDone?.(result, variables),
    onError: (error) => command.onRefused?.(error),
    onSettled: (_result, error) => {
      if (!error || isFinal(error)) key.current = crypto.randomUUID();
      for (const queryKey of command.touches) void queries.invalidateQueries({ queryKey });
    },
  });
}

/** A form's text, or nothing. */
export function typed(form: FormData, name: string): string | undefined {
  return String(form.get(name) ?? '').trim() || undefined;
}
