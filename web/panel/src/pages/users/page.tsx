import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useRef, useState } from 'react';

import { useMay } from '../../session/session.tsx';
import { useKeys, useRowKeys } from '../../shell/keys.ts';
import { oneOf, text } from '../../shell/search.ts';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { useGlow } from '../../widgets/glow.ts';
import { Menu, MenuItem, MenuLabel } from '../../widgets/menu.tsx';
import { Scroll } from '../../widgets/scroll.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { Ago } from '../../widgets/time.tsx';
import { TypedWords } from '../../widgets/typed_words.tsx';
import { CreateUser } from './create.tsx';
import { type Invitation, InvitationLink } from './invitation.tsx';
import { KINDS, rolesQuery, STATES, type User, type UserFilter, usersQuery } from './query.ts';

/** Who there is. */
export default function UsersPage() {
  useTitle('Users');
  const navigate = useNavigate();
  const search: Record<string, unknown> = useSearch({ strict: false });
  const filter = useMemo<UserFilter>(
    () => ({
      ...text('q', search),
      ...text('role', search),
      ...oneOf('kind', search, KINDS),
      ...oneOf('state', search, STATES),
    }),
    [search],
  );
  const users = useQuery(usersQuery(filter));
  const mayWrite = useMay('users.write');
  const [creating, setCreating] = useState(false);
  const [invited, setInvited] = useState<Invitation>();
  const list = useRef<HTMLDivElement>(null);
  useRowKeys(list, '.row-link');
  useKeys(mayWrite ? { c: () => setCreating(true) } : {});
  const change = (changes: { [key in keyof UserFilter]: UserFilter[key] | undefined }) =>
    void navigate({ to: '/users', search: { ...filter, ...changes } as never, replace: true });
  return (
    <div className="list-page">
      <header className="page-head">
        <h1>Users</h1>
        <span className="grow" />
        {mayWrite && (
          <Button look="primary" icon="plus" shortcut="c" onClick={() => setCreating(true)}>
            New
          </Button>
        )}
      </header>
      <Filters filter={filter} change={change} />
      <div className="list" ref={list}>
        {users.isError && !users.data && <Failed error={users.error} again={() => void users.refetch()} />}
        {users.isPending && <Loading lines={10} />}
        {users.data?.length === 0 && <Empty title="Nobody fits">Take a filter away.</Empty>}
        {users.data && users.data.length > 0 && <Rows users={users.data} />}
      </div>
      {creating && (
        <CreateUser
          onPerson={(invitation) => {
            setCreating(false);
            setInvited(invitation);
          }}
          onAccount={(id) => void navigate({ to: `/users/${id}` })}
          onClose={() => setCreating(false)}
        />
      )}
      {invited && <InvitationLink of={invited} onClose={() => setInvited(undefined)} />}
    </div>
  );
}

function Filters(props: {
  filter: UserFilter;
  change: (changes: { [key in keyof UserFilter]: UserFilter[key] | undefined }) => void;
}) {
  const { filter, change } = props;
  const roles = useQuery(rolesQuery).data?.items ?? [];
  return (
    <div className="filters" role="search" aria-label="Filter users">
      <TypedWords
        label="Words in name or address"
        value={filter.q ?? ''}
        onChange={(q) => change({ q: q || undefined })}
      />
      <OneChoice
        name="State"
        of={STATES}
        chosen={filter.state}
        onChange={(state) => change({ state: STATES.find((one) => one === state) })}
      />
      <OneChoice
        name="Kind"
        of={KINDS}
        chosen={filter.kind}
        onChange={(kind) => change({ kind: KINDS.find((one) => one === kind) })}
      />
      <OneChoice
        name="Role"
        of={roles.map(({ name }) => name)}
        chosen={filter.role}
        onChange={(role) => change({ role })}
      />
    </div>
  );
}

function OneChoice(props: {
  name: string;
  of: readonly string[];
  chosen: string | undefined;
  onChange: (chosen: string | undefined) => void;
}) {
  const { name, of, chosen, onChange } = props;
  return (
    <Menu active={chosen !== undefined} label={<MenuLabel name={name} value={chosen ? words(chosen) : 'any'} />}>
      <MenuItem onSelect={() => onChange(undefined)}>any</MenuItem>
      {of.map((one) => (
        <MenuItem key={one} onSelect={() => onChange(one)}>
          {words(one)}
        </MenuItem>
      ))}
    </Menu>
  );
}

const words = (word: string) => word.replaceAll('_', ' ');

function Rows({ users }: { users: User[] }) {
  return (
    <Scroll label="Users">
      <table className="plain padded">
        <thead>
          <tr>
            <th scope="col">User name</th>
            <th scope="col" className="only-wide">
              Name
            </th>
            <th scope="col">State</th>
            <th scope="col">Roles</th>
            <th scope="col" className="only-wide">
              Last sign-in
            </th>
            <th scope="col" className="only-wide">
              Kind
            </th>
            <th scope="col" className="only-wide">
              Address
            </th>
          </tr>
        </thead>
        <tbody>
          {users.map((user) => (
            <Row key={user.id} user={user} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Row({ user }: { user: User }) {
  const row = useGlow<HTMLTableRowElement>(`${user.version} ${user.permissions.join()}`);
  return (
    <tr ref={row} className="linked" data-quiet={user.disabled || undefined}>
      <th scope="row">
        <Link to={`/users/${user.id}`} className="row-link">
          {user.username}
        </Link>
      </th>
      <td className="only-wide">{user.name}</td>
      <td>
        <UserState disabled={user.disabled} />
      </td>
      <td>{user.roles.join(', ') || <span className="soft">none</span>}</td>
      <td className="soft only-wide">
        {user.signed_in_at ? <Ago at={user.signed_in_at} suffix=" ago" /> : user.kind === 'person' && 'never'}
      </td>
      <td className="soft only-wide">{words(user.kind)}</td>
      <td className="soft only-wide">{user.email}</td>
    </tr>
  );
}

/** Whether somebody may come in, in a word and a shape. */
export function UserState({ disabled }: { disabled: boolean }) {
  const state = disabled ? 'disabled' : 'active';
  return (
    <span className="chip" data-status={state}>
      <span className="chip-mark" aria-hidden="true" />
      {state}
    </span>
  );
}
