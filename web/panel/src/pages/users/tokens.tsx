import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { api, type Schemas, wordsOf } from '../../api.ts';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { ShownOnce } from '../../widgets/once.tsx';
import { Scroll } from '../../widgets/scroll.tsx';
import { Failed, Loading } from '../../widgets/states.tsx';
import { Ago, exactly } from '../../widgets/time.tsx';
import { say } from '../../widgets/toasts.tsx';
import { PermissionChoice } from './permissions.tsx';
import { typed, useCommand } from './query.ts';

type Token = Schemas['ApiToken'];
type Header = { 'Idempotency-Key': string };

/** Whose tokens, and by which operations. */
export interface TokenOwner {
  key: readonly unknown[];
  list: (signal: AbortSignal) => Promise<Schemas['ApiTokens']>;
  create: (body: Schemas['NewApiToken'], header: Header) => Promise<Token>;
  revoke: (token: string, header: Header) => Promise<Token>;
}

/** One's own. */
export const myTokens: TokenOwner = {
  key: ['my', 'tokens'],
  list: async (signal) => accepted(await api.GET('/api/v1/me/tokens', { signal })),
  create: async (body, header) => accepted(await api.POST('/api/v1/me/tokens', { params: { header }, body })),
  revoke: async (token, header) =>
    accepted(await api.DELETE('/api/v1/me/tokens/{token}', { params: { path: { token }, header } })),
};

/** Somebody's. */
export const tokensOf = (user: string): TokenOwner => ({
  key: ['user', user, 'tokens'],
  list: async (signal) =>
    accepted(await api.GET('/api/v1/users/{user}/tokens', { params: { path: { user } }, signal })),
  create: async (body, header) =>
    accepted(await api.POST('/api/v1/users/{user}/tokens', { params: { path: { user }, header }, body })),
  revoke: async (token, header) =>
    accepted(await api.DELETE('/api/v1/users/{user}/tokens/{token}', { params: { path: { user, token }, header } })),
});

/** API tokens: what they may do, until when, when they were used. `may`: what one can give; nothing: only look. */
export function Tokens({ owner, may }: { owner: TokenOwner; may: readonly string[] | undefined }) {
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState<Token>();
  const tokens = useQuery({
    queryKey: owner.key,
    queryFn: ({ signal }) => owner.list(signal),
    // There is no event for a use, and none for those who may not see events of users.
    refetchOnMount: 'always',
    refetchOnWindowFocus: 'always',
  });
  const items = tokens.data?.items ?? [];
  return (
    <section className="section" aria-label="API tokens">
      <header className="section-head">
        <h2>API tokens</h2>
        {may && may.length > 0 && <Button onClick={() => setCreating(true)}>New token …</Button>}
      </header>
      {tokens.isError && !tokens.data && <Failed error={tokens.error} again={() => void tokens.refetch()} />}
      {tokens.isPending && <Loading lines={2} />}
      {tokens.data && items.length === 0 && <p className="soft">None. A program sends one as its bearer token.</p>}
      {items.length > 0 && <Rows tokens={items} owner={owner} mayRevoke={may !== undefined} />}
      {creating && may && (
        <CreateToken
          owner={owner}
          may={may}
          onDone={(token) => {
            setCreating(false);
            setMade(token);
          }}
          onClose={() => setCreating(false)}
        />
      )}
      {made?.token && (
        <ShownOnce
          title={`API token ${made.name}`}
          label="Token"
          secret={made.token}
          hint={`A program sends it as “Authorization: Bearer …”. It is good until ${exactly(made.expires_at)}.`}
          onClose={() => setMade(undefined)}
        />
      )}
    </section>
  );
}

function Rows({ tokens, owner, mayRevoke }: { tokens: Token[]; owner: TokenOwner; mayRevoke: boolean }) {
  const [asking, setAsking] = useState<Token>();
  const revoke = useCommand({
    send: ({ id }: Token, header) => owner.revoke(id, header),
    touches: [[...owner.key]],
    onDone: ({ name }) => {
      setAsking(undefined);
      say(`${name} is worth nothing any more.`);
    },
  });
  return (
    <>
      <Scroll label="API tokens">
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">May</th>
              <th scope="col">Last used</th>
              <th scope="col">Expires</th>
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {tokens.map((token) => (
              <tr key={token.id}>
                <th scope="row">{token.name}</th>
                <td className="said" title={token.permissions.join(', ')}>
                  {token.permissions.join(', ')}
                </td>
                <td className="soft">{token.last_used_at ? <Ago at={token.last_used_at} suffix=" ago" /> : 'never'}</td>
                <td className="soft">{expiry(token.expires_at)}</td>
                <td className="at-end">
                  {mayRevoke && (
                    <Button aria-label={`Revoke ${token.name}`} onClick={() => setAsking(token)}>
                      Revoke …
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {asking && (
        <FormDialog
          title={`Revoke ${asking.name}?`}
          submit="Revoke"
          look="danger"
          busy={revoke.isPending}
          wrong={revoke.isError ? wordsOf(revoke.error) : undefined}
          onSubmit={() => revoke.mutate(asking)}
          onClose={() => setAsking(undefined)}
        >
          <p>
            Programs that use it are refused from then on, and their streams end within a second. It cannot be undone.
            {asking.last_used_at ? ` It was last used ${exactly(asking.last_used_at)}.` : ' It was never used.'}
          </p>
        </FormDialog>
      )}
    </>
  );
}

/** When it ends; the exact time on hover. */
function expiry(at: string) {
  const days = Math.floor((Date.parse(at) - Date.now()) / 86_400_000);
  return (
    <time dateTime={at} title={exactly(at)} data-tone={days < 7 ? 'warn' : undefined} className="tone">
      {days < 1 ? 'within a day' : days === 1 ? 'in 1 day' : `in ${days} days`}
    </time>
  );
}

function CreateToken(props: {
  owner: TokenOwner;
  may: readonly string[];
  onDone: (token: Token) => void;
  onClose: () => void;
}) {
  const { owner, may, onDone, onClose } = props;
  const create = useCommand({
    send: (form: FormData, header) => {
      const permissions = form.getAll('permissions').map(String);
      const expires_in_days = Number(form.get('days'));
      return owner.create({ name: typed(form, 'name') ?? '', permissions, expires_in_days }, header);
    },
    touches: [[...owner.key]],
    onDone,
  });
  return (
    <FormDialog
      title="New API token"
      submit="Create"
      busy={create.isPending}
      wrong={create.isError ? wordsOf(create.error) : undefined}
      onSubmit={(form) => create.mutate(form)}
      onClose={onClose}
    >
      <div className="form-pair">
        <TextField label="Name" name="name" required maxLength={100} hint="What it is for" />
        <TextField
          label="Days until it expires"
          name="days"
          type="number"
          min={1}
          max={366}
          defaultValue={90}
          required
        />
      </div>
      <PermissionChoice label="It may" of={may} may={may} chosen={[]} />
    </FormDialog>
  );
}
