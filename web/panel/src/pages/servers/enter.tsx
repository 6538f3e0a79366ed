import { accepted } from '@signalbox/client/react';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useRef } from 'react';

import { api, isFinal, wordsOf } from '../../api.ts';
import { FormDialog } from '../../widgets/dialog.tsx';
import { Choice, TextArea, TextField } from '../../widgets/field.tsx';

/** Enters a server into the inventory. */
export function EnterServer({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const key = useRef(crypto.randomUUID());
  const enter = useMutation({
    mutationFn: async (form: FormData) => {
      const value = (name: string) => String(form.get(name) ?? '').trim();
      const body = {
        name: value('name'),
        host: value('host'),
        port: Number(value('port')),
        description: value('description'),
        labels: {},
        check: { enabled: true, interval_s: Number(value('interval_s')), method: value('method') as 'ssh' | 'tcp' },
      };
      const params = { header: { 'Idempotency-Key': key.current } };
      return accepted(await api.POST('/api/v1/servers', { params, body: body as never }));
    },
    onSuccess: ({ id }) => void navigate({ to: `/servers/${id}` }),
    onError: (error) => {
      // What is corrected after a refusal is another command.
      if (isFinal(error)) key.current = crypto.randomUUID();
    },
  });
  return (
    <FormDialog
      title="Enter a server"
      submit="Enter"
      busy={enter.isPending}
      wrong={enter.isError ? wordsOf(enter.error) : undefined}
      onSubmit={(form) => enter.mutate(form)}
      onClose={onClose}
    >
      <TextField label="Name" name="name" required maxLength={200} />
      <div className="form-pair">
        <TextField label="Host" name="host" required hint="A name or an address" />
        <TextField label="Port" name="port" type="number" min={1} max={65535} defaultValue={22} required />
      </div>
      <div className="form-pair">
        <Choice label="What counts as an answer" name="method" of={['ssh', 'tcp']} />
        <TextField label="Tested every (s)" name="interval_s" type="number" min={10} max={86400} defaultValue={60} />
      </div>
      <TextArea label="Description" name="description" rows={2} />
    </FormDialog>
  );
}
