import { accepted } from '@signalbox/client/react';
import { useState } from 'react';

import { api } from '../../api.ts';
import { FormDialog } from '../../widgets/dialog.tsx';
import { Choice, TextArea, TextField } from '../../widgets/field.tsx';
import { textOf, useFormCommand } from './command.ts';
import type { Channel } from './query.ts';

const FIELDS = ['/name', '/url', '/to'];

/** Asks for a new channel, or for what changes of one. */
export function ChannelForm(props: { channel?: Channel; onDone: (channel: Channel) => void; onClose: () => void }) {
  const { channel, onDone, onClose } = props;
  const [kind, setKind] = useState(channel?.kind ?? 'webhook');
  const { dialog, fault } = useFormCommand({
    version: channel?.version,
    fields: FIELDS,
    done: onDone,
    send: async (form, header) => {
      const name = textOf(form, 'name');
      const target =
        kind === 'webhook'
          ? { url: textOf(form, 'url') }
          : {
              to: textOf(form, 'to')
                .split(/[\s,;]+/)
                .filter(Boolean),
            };
      if (!channel) {
        return accepted(
          await api.POST('/api/v1/notification-channels', {
            params: { header },
            body: { name, kind, ...target } as never,
          }),
        );
      }
      const params = { path: { channel: channel.id }, header };
      const body = { name, ...target } as never;
      return accepted(await api.PATCH('/api/v1/notification-channels/{channel}', { params, body }));
    },
  });
  return (
    <FormDialog
      title={channel ? `Edit ${channel.name}` : 'New channel'}
      submit={channel ? 'Change' : 'Create'}
      {...dialog}
      onClose={onClose}
    >
      <TextField
        label="Name"
        name="name"
        required
        maxLength={100}
        defaultValue={channel?.name}
        fault={fault('/name')}
      />
      {!channel && (
        <Choice
          label="Kind"
          name="kind"
          of={['webhook', 'mail']}
          value={kind}
          onChange={(event) => setKind(event.target.value as Channel['kind'])}
        />
      )}
      {kind === 'webhook' ? (
        <TextField
          label="URL"
          name="url"
          type="url"
          required
          maxLength={2000}
          defaultValue={channel?.url ?? undefined}
          placeholder="https://"
          hint="Gets a signed POST. Stands in the log: put no password into it."
          fault={fault('/url')}
        />
      ) : (
        <TextArea
          label="To"
          name="to"
          required
          rows={2}
          defaultValue={channel?.to?.join(' ')}
          hint="1 to 20 addresses, with spaces between"
          fault={fault('/to')}
        />
      )}
    </FormDialog>
  );
}
