import { accepted } from '@signalbox/client/react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';

import { api, type Schemas, wordsOf } from '../../api.ts';
import { useMay } from '../../session/session.tsx';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';

/** Switches streams off and on in every process. Asks first, and for the reason, which everybody will read. */
export function StreamSwitch({ system }: { system: Schemas['System'] }) {
  const { control, disabled, disabled_at_start } = system;
  const queries = useQueryClient();
  const mayControl = useMay('system.control');
  const [asking, setAsking] = useState<'disable' | 'enable' | 'share'>();
  const key = useRef('');
  const ask = (what: typeof asking) => {
    key.current = crypto.randomUUID();
    flip.reset();
    setAsking(what);
  };
  const flip = useMutation({
    networkMode: 'always',
    mutationFn: async (form: FormData) => {
      const params = { header: { 'Idempotency-Key': key.current, 'If-Match': `"${control.version}"` } };
      const reason = String(form.get('reason') ?? '').trim();
      switch (asking) {
        case 'disable':
          return accepted(await api.POST('/api/v1/system/streams/disable', { params, body: { reason } }));
        case 'enable':
          return accepted(await api.POST('/api/v1/system/streams/enable', { params, body: { reason } }));
        default: {
          const body = { percent: Number(form.get('percent')) };
          return accepted(await api.PUT('/api/v1/system/streams/share', { params, body }));
        }
      }
    },
    onSuccess: () => {
      setAsking(undefined);
      void queries.invalidateQueries({ queryKey: ['system'] });
    },
    // What is corrected, or meant for the newest state, is another command.
    onError: () => {
      key.current = crypto.randomUUID();
      void queries.invalidateQueries({ queryKey: ['system'] });
    },
  });
  const dialog = {
    busy: flip.isPending,
    wrong: flip.isError ? wordsOf(flip.error) : undefined,
    onSubmit: (form: FormData) => flip.mutate(form),
    onClose: () => setAsking(undefined),
  };
  return (
    <section className="section switch" data-off={disabled || undefined}>
      <div>
        <h2>{disabled ? 'Streams are switched off' : 'Streams are on'}</h2>
        <p className="soft">
          {disabled
            ? `Everybody polls on the same cursor and misses nothing. ${control.reason ?? ''}`
            : `Offered to ${control.share} % of users; the others poll.`}
          {disabled_at_start && ' This process was started with streams switched off.'}
        </p>
      </div>
      {mayControl && (
        <div className="switch-buttons">
          <Button onClick={() => ask('share')}>Share …</Button>
          {disabled ? (
            <Button look="primary" onClick={() => ask('enable')}>
              Switch on …
            </Button>
          ) : (
            <Button look="danger" onClick={() => ask('disable')}>
              Switch off …
            </Button>
          )}
        </div>
      )}
      {asking === 'disable' && (
        <FormDialog title="Switch streams off, everywhere?" submit="Switch off" look="danger" {...dialog}>
          <p>
            Within a second every process closes its streams. Clients poll on the same cursor, miss nothing, and come
            back by themselves when you switch on.
          </p>
          <TextField label="Reason" name="reason" required maxLength={500} hint="Everybody reads it" />
        </FormDialog>
      )}
      {asking === 'enable' && (
        <FormDialog title="Switch streams on, everywhere?" submit="Switch on" {...dialog}>
          <p>Clients come back by themselves, spread over half a minute.</p>
          <TextField label="Reason" name="reason" required maxLength={500} hint="Everybody reads it" />
        </FormDialog>
      )}
      {asking === 'share' && (
        <FormDialog title="Offer streams to a share of users" submit="Offer" {...dialog}>
          <TextField
            label="Percent"
            name="percent"
            type="number"
            min={0}
            max={100}
            required
            defaultValue={control.share}
            hint="The same users each time; the others poll"
          />
        </FormDialog>
      )}
    </section>
  );
}
