import '../../styles/notifications.css';

import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { api } from '../../api.ts';
import { useMay } from '../../session/session.tsx';
import { useKeys } from '../../shell/keys.ts';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { useGlow } from '../../widgets/glow.ts';
import { Scroll } from '../../widgets/scroll.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { ChannelForm } from './channel_form.tsx';
import { useFormCommand } from './command.ts';
import { type Channel, channelsQuery, type Rule, rulesQuery } from './query.ts';
import { RuleForm } from './rule_form.tsx';
import { SecretOf } from './secret_of.tsx';

type Asking = { what: 'channel' } | { what: 'rule'; rule?: Rule } | { what: 'switch' | 'delete'; rule: Rule };

/** Where news goes, and which. */
export default function NotificationsPage() {
  useTitle('Notifications');
  const navigate = useNavigate();
  const mayWrite = useMay('notifications.write');
  const channels = useQuery(channelsQuery);
  const rules = useQuery(rulesQuery);
  const [asking, setAsking] = useState<Asking>();
  const [made, setMade] = useState<Channel>();
  useKeys(mayWrite ? { c: () => setAsking({ what: 'channel' }) } : {});
  const close = () => setAsking(undefined);
  const open = (channel: Channel) => void navigate({ to: `/notifications/${channel.id}` });
  return (
    <div className="sections notifications">
      <header className="page-head">
        <h1>Notifications</h1>
        <span className="grow" />
        {mayWrite && (
          <Button look="primary" icon="plus" shortcut="c" onClick={() => setAsking({ what: 'channel' })}>
            Channel
          </Button>
        )}
      </header>
      {channels.isError && !channels.data && <Failed error={channels.error} again={() => void channels.refetch()} />}
      {channels.isPending && <Loading />}
      {channels.data?.length === 0 && (
        <Empty title="Nobody is told anything yet">
          {mayWrite
            ? 'Make a channel, to a webhook or by mail. Then rules say which events go there.'
            : 'Whoever may change notifications makes channels and rules; they appear here by themselves.'}
        </Empty>
      )}
      {channels.data && channels.data.length > 0 && (
        <>
          <Channels channels={channels.data} rules={rules.data} />
          <section className="section">
            <header className="section-head">
              <h2>Rules</h2>
              {mayWrite && (
                <Button icon="plus" onClick={() => setAsking({ what: 'rule' })}>
                  Rule
                </Button>
              )}
            </header>
            {rules.isError && !rules.data && <Failed error={rules.error} again={() => void rules.refetch()} />}
            {rules.isPending && <Loading lines={2} />}
            {rules.data?.length === 0 && <p className="soft">None yet: nothing is sent until a rule says what.</p>}
            {rules.data && rules.data.length > 0 && (
              <Rules rules={rules.data} channels={channels.data} ask={mayWrite ? setAsking : undefined} />
            )}
          </section>
        </>
      )}
      {asking?.what === 'channel' && (
        <ChannelForm
          onClose={close}
          onDone={(channel) => {
            close();
            if (channel.secret) setMade(channel);
            else open(channel);
          }}
        />
      )}
      {asking?.what === 'rule' && channels.data && (
        <RuleForm rule={asking.rule} channels={channels.data} onClose={close} onDone={close} />
      )}
      {(asking?.what === 'switch' || asking?.what === 'delete') && (
        <ChangeRule what={asking.what} rule={asking.rule} onClose={close} />
      )}
      {made && <SecretOf channel={made} onClose={() => open(made)} />}
    </div>
  );
}

function Channels({ channels, rules }: { channels: Channel[]; rules: Rule[] | undefined }) {
  return (
    <section className="section">
      <h2>Channels</h2>
      <Scroll label="Channels">
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Name</th>
              <th scope="col">Kind</th>
              <th scope="col">To</th>
              <th scope="col">Rules</th>
            </tr>
          </thead>
          <tbody>
            {channels.map((channel) => (
              <ChannelRow
                key={channel.id}
                channel={channel}
                rules={rules?.filter((one) => one.channel === channel.id && one.enabled).length}
              />
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function ChannelRow({ channel, rules }: { channel: Channel; rules: number | undefined }) {
  const row = useGlow<HTMLTableRowElement>(channel.version);
  return (
    <tr ref={row} className="linked">
      <td title={channel.disabled_reason ?? undefined}>
        <ChannelChip channel={channel} />
      </td>
      <th scope="row">
        <Link to={`/notifications/${channel.id}`} className="row-link">
          {channel.name}
        </Link>
      </th>
      <td className="soft">{channel.kind}</td>
      <td className="mono said">{channel.url ?? channel.to?.join(', ')}</td>
      <td>{rules}</td>
    </tr>
  );
}

/** Whether a channel sends, in a word and a shape. */
export function ChannelChip({ channel: { enabled } }: { channel: Channel }) {
  return (
    <span className="chip" data-status={enabled ? 'up' : 'down'}>
      <span className="chip-mark" aria-hidden="true" />
      {enabled ? 'on' : 'off'}
    </span>
  );
}

function Rules(props: { rules: Rule[]; channels: Channel[]; ask: ((asking: Asking) => void) | undefined }) {
  const { rules, channels, ask } = props;
  return (
    <Scroll label="Rules">
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Name</th>
            <th scope="col">Events</th>
            <th scope="col">Condition</th>
            <th scope="col">To</th>
            {ask && (
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rules.map((rule) => (
            <RuleRow
              key={rule.id}
              rule={rule}
              channel={channels.find(({ id }) => id === rule.channel)?.name}
              ask={ask}
            />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function RuleRow(props: { rule: Rule; channel: string | undefined; ask: ((asking: Asking) => void) | undefined }) {
  const { rule, channel, ask } = props;
  const row = useGlow<HTMLTableRowElement>(rule.version);
  const { name, types, condition, enabled, owner } = rule;
  return (
    <tr ref={row}>
      <td>
        <span className="chip" data-status={enabled ? 'up' : 'pending'}>
          <span className="chip-mark" aria-hidden="true" />
          {enabled ? 'on' : 'off'}
        </span>
      </td>
      <th scope="row" title={`Sees what ${owner} may see`}>
        {name}
      </th>
      <td className="mono said" title={types.join(', ')}>
        {types.join(', ')}
      </td>
      <td className="mono said" title={condition ?? undefined}>
        {condition}
      </td>
      <td>{channel}</td>
      {ask && (
        <td className="row-actions">
          <Button look="bare" icon="edit" aria-label={`Edit ${name}`} onClick={() => ask({ what: 'rule', rule })} />
          <Button look="bare" onClick={() => ask({ what: 'switch', rule })}>
            {enabled ? 'Switch off' : 'Switch on'}
          </Button>
          <Button
            look="bare"
            icon="close"
            aria-label={`Delete ${name}`}
            onClick={() => ask({ what: 'delete', rule })}
          />
        </td>
      )}
    </tr>
  );
}

/** Switches a rule, or takes it away. Asks first: the one who does it becomes its owner, or it is gone. */
function ChangeRule({ what, rule, onClose }: { what: 'switch' | 'delete'; rule: Rule; onClose: () => void }) {
  const { dialog } = useFormCommand({
    version: rule.version,
    done: onClose,
    send: async (_form, header) => {
      const params = { path: { rule: rule.id }, header };
      if (what === 'delete') return accepted(await api.DELETE('/api/v1/notification-rules/{rule}', { params }));
      const body = { enabled: !rule.enabled };
      return accepted(await api.PATCH('/api/v1/notification-rules/{rule}', { params, body }));
    },
  });
  const word = what === 'delete' ? 'Delete' : rule.enabled ? 'Switch off' : 'Switch on';
  return (
    <FormDialog
      title={`${word}: ${rule.name}?`}
      submit={word}
      look={what === 'delete' ? 'danger' : 'primary'}
      {...dialog}
      onClose={onClose}
    >
      <p>
        {what === 'delete' || rule.enabled
          ? 'From then on it sends nothing. What already waits in the channel is still sent.'
          : 'It is applied to what happens from then on, within what you may see: you become its owner.'}
      </p>
    </FormDialog>
  );
}
