import { accepted } from '@signalbox/client/react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { api, wordsOf } from '../../api.ts';
import { useMay } from '../../session/session.tsx';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { exactly } from '../../widgets/time.tsx';
import { say } from '../../widgets/toasts.tsx';
import { type Server, serverKey } from '../servers/query.ts';

/** When a server may be down. */
export function Maintenance({ server }: { server: Server }) {
  const queries = useQueryClient();
  const mayWrite = useMay('servers.write');
  const [planning, setPlanning] = useState(false);
  const path = { server: server.id };
  const header = () => ({ 'Idempotency-Key': crypto.randomUUID() });
  const loaded = () => void queries.invalidateQueries({ queryKey: serverKey(server.id) });
  const plan = useMutation({
    mutationFn: async (form: FormData) => {
      const ends_at = new Date(Date.now() + Number(form.get('minutes')) * 60_000).toISOString();
      const reason = String(form.get('reason') ?? '').trim();
      const body = { ends_at, ...(reason ? { reason } : {}) };
      const params = { path, header: header() };
      return accepted(await api.POST('/api/v1/servers/{server}/maintenance', { params, body }));
    },
    onSuccess: () => {
      setPlanning(false);
      loaded();
    },
  });
  const end = useMutation({
    mutationFn: async (window: string) => {
      const params = { path: { ...path, window }, header: header() };
      return accepted(await api.POST('/api/v1/servers/{server}/maintenance/{window}/end', { params, body: {} }));
    },
    onSuccess: loaded,
    onError: (error) => say(wordsOf(error), 'bad'),
  });
  return (
    <section className="section">
      <h2>Maintenance</h2>
      {server.maintenance.length === 0 && <p className="soft">None is planned.</p>}
      <ul className="windows">
        {server.maintenance.map(({ id, starts_at, ends_at, reason }) => (
          <li key={id}>
            <span>
              {exactly(starts_at)} to {exactly(ends_at)}
              {reason && <span className="soft"> {reason}</span>}
            </span>
            {mayWrite && (
              <Button disabled={end.isPending} onClick={() => end.mutate(id)}>
                End
              </Button>
            )}
          </li>
        ))}
      </ul>
      {mayWrite && !server.deleted && <Button onClick={() => setPlanning(true)}>Begin now …</Button>}
      {planning && (
        <FormDialog
          title={`Maintenance of ${server.name}`}
          submit="Begin"
          busy={plan.isPending}
          wrong={plan.isError ? wordsOf(plan.error) : undefined}
          onSubmit={(form) => plan.mutate(form)}
          onClose={() => setPlanning(false)}
        >
          <TextField label="Minutes" name="minutes" type="number" min={1} max={132480} defaultValue={60} required />
          <TextField label="Reason" name="reason" maxLength={2000} />
        </FormDialog>
      )}
    </section>
  );
}
