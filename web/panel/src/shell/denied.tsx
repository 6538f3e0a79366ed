import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';

import { api } from '../api.ts';
import { useMe } from '../session/session.tsx';
import { Empty } from '../widgets/states.tsx';

/** Instead of a page that one may not see: why, and who can help. Given the right, the page is there at once. */
export function Denied({ permission }: { permission: string }) {
  const { permissions, roles } = useMe();
  const asked = useQuery({
    queryKey: ['can', permission, permissions],
    queryFn: async ({ signal }) =>
      accepted(await api.GET('/api/v1/me/can', { params: { query: { action: permission } }, signal })),
  });
  return (
    <Empty title="You may not see this page">
      <p>
        It needs <code className="mono">{permission}</code>
        {asked.data && !asked.data.allowed && `, and ${asked.data.why}`}.
      </p>
      <p>
        {roles.length > 0 ? `You have: ${roles.join(', ')}. ` : 'You have no role. '}
        Who may change users can give you one; then the page appears by itself.
      </p>
    </Empty>
  );
}
