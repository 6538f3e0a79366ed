import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';

import { api } from '../../api.ts';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { ChannelForm } from '../notifications/channel_form.tsx';
import { type Headers, textOf, useFormCommand } from '../notifications/command.ts';
import { type Channel, newest } from '../notifications/query.ts';

export type Asking = 'edit' | 'rotate' | 'replay' | 'disable' | 'enable' | 'delete';

interface AskProps {
  what: Asking;
  channel: Channel;
  onDone: (channel: Channel) => void;
  onClose: () => void;
}

/** Asks before it does something to a channel, and for what that needs. */
export function Ask(props: AskProps) {
  const { what, channel, onDone, onClose } = props;
  switch (what) {
    case 'edit':
      return <ChannelForm channel={channel} onDone={onDone} onClose={onClose} />;
    case 'replay':
      return <Replay {...props} />;
    default:
      return <Simple {...props} what={what} />;
  }
}

const WORDS: Record<Exclude<Asking, 'edit' | 'replay'>, { title: string; submit: string; means: string }> = {
  rotate: {
    title: 'Make a new secret?',
    submit: 'Make it',
    means: 'It is shown once. For a while requests carry the signatures of both, so that the receiver can change over.',
  },
  disable: {
    title: 'Switch the channel off?',
    submit: 'Switch off',
    means: 'What waits is skipped, and what happens meanwhile too. A replay sends it later.',
  },
  enable: {
    title: 'Switch the channel on?',
    submit: 'Switch on',
    means: 'What happens from now on is sent. A replay sends what was skipped.',
  },
  delete: {
    title: 'Delete the channel?',
    submit: 'Delete',
    means: 'Its rules send nothing any more, and what waits is skipped. This cannot be undone.',
  },
};

function Simple({ what, channel, onDone, onClose }: AskProps & { what: keyof typeof WORDS }) {
  const navigate = useNavigate();
  const { title, submit, means } = WORDS[what];
  const { dialog, fault } = useFormCommand<Channel>({
    version: channel.version,
    fields: ['/reason', '/overlap_s'],
    done: (changed) => (what === 'delete' ? void navigate({ to: '/notifications' }) : onDone(changed)),
    send: (form, header) => send(what, channel.id, form, header),
  });
  return (
    <FormDialog
      title={`${channel.name}: ${title}`}
      submit={submit}
      look={what === 'disable' || what === 'delete' ? 'danger' : 'primary'}
      {...dialog}
      onClose={onClose}
    >
      <p>{means}</p>
      {what === 'disable' && (
        <TextField
          label="Reason"
          name="reason"
          required
          maxLength={500}
          hint="Others read it"
          fault={fault('/reason')}
        />
      )}
      {what === 'rotate' && (
        <TextField
          label="Hours with both"
          name="overlap_h"
          type="number"
          min={0}
          max={168}
          required
          defaultValue={24}
          hint="0: the old one is worth nothing at once"
          fault={fault('/overlap_s')}
        />
      )}
    </FormDialog>
  );
}

async function send(what: keyof typeof WORDS, id: string, form: FormData, header: Headers): Promise<Channel> {
  const params = { path: { channel: id }, header };
  switch (what) {
    case 'rotate': {
      const body = { overlap_s: Math.round(Number(form.get('overlap_h')) * 3600) };
      return accepted(await api.POST('/api/v1/notification-channels/{channel}/rotate-secret', { params, body }));
    }
    case 'disable': {
      const body = { reason: textOf(form, 'reason') };
      return accepted(await api.POST('/api/v1/notification-channels/{channel}/disable', { params, body }));
    }
    case 'enable':
      return accepted(await api.POST('/api/v1/notification-channels/{channel}/enable', { params }));
    case 'delete':
      return accepted(await api.DELETE('/api/v1/notification-channels/{channel}', { params }));
  }
}

/** Sends the past again, from a position on. Says how much that is before it is done. */
function Replay({ channel, onDone, onClose }: AskProps) {
  const head = useQuery({ queryKey: ['newest'], gcTime: 0, queryFn: ({ signal }) => newest(signal) }).data;
  const [after, setAfter] = useState('');
  const [until, setUntil] = useState('');
  const { dialog, fault } = useFormCommand({
    version: channel.version,
    fields: ['/after'],
    done: onDone,
    send: async (_form, header) => {
      const params = { path: { channel: channel.id }, header };
      const body = { after: Number(after), ...(until && { until: Number(until) }) };
      return accepted(await api.POST('/api/v1/notification-channels/{channel}/replay', { params, body }));
    },
  });
  const last = until ? Number(until) : head;
  const count = after !== '' && last !== undefined ? last - Number(after) : undefined;
  const position = (label: string, value: string, set: (value: string) => void, more: object) => (
    <TextField
      label={label}
      type="number"
      min={0}
      max={head}
      value={value}
      onChange={(event) => set(event.target.value)}
      {...more}
    />
  );
  const words: ReactNode =
    count === undefined || count <= 0 ? (
      `Choose a position${head === undefined ? '' : ` from 0 to ${head}, the newest event`}.`
    ) : (
      <>
        <strong>{count === 1 ? '1 event' : `${count.toLocaleString()} events`}</strong> ({Number(after) + 1} to {last}):
        each that this channel's rules name now is sent again, as a new delivery behind what already waits.
      </>
    );
  return (
    <FormDialog title={`${channel.name}: send the past again?`} submit="Replay" {...dialog} onClose={onClose}>
      <div className="form-pair">
        {position('Events behind', after, setAfter, { required: true, fault: fault('/after') })}
        {position('Up to', until, setUntil, { hint: 'Empty: the newest' })}
      </div>
      <p role="status">{words}</p>
    </FormDialog>
  );
}
