import '../../styles/notifications.css';

import { accepted, CommandRefused } from '@signalbox/client/react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';

import { api, type Schemas, wordsOf } from '../../api.ts';
import { useMay } from '../../session/session.tsx';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { Icon } from '../../widgets/icon.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { ChannelChip } from '../notifications/page.tsx';
import { type Channel, channelQuery } from '../notifications/query.ts';
import { SecretOf } from '../notifications/secret_of.tsx';
import { Ask, type Asking } from './ask.tsx';
import { Deliveries, reasonOf } from './deliveries.tsx';

/** One channel: whether it sends, and what became of what it was to send. */
export default function ChannelPage() {
  const { channel: id } = useParams({ strict: false }) as { channel: string };
  const channel = useQuery(channelQuery(id));
  useTitle(channel.data?.name ?? 'Channel');
  const { data, error } = channel;
  if (error instanceof CommandRefused && (error.problem.status === 404 || error.problem.status === 400)) {
    return (
      <Empty title="There is no such channel">
        <Link to="/notifications">All channels</Link>
      </Empty>
    );
  }
  if (data) return <Shown channel={data} />;
  return channel.isError ? <Failed error={error} again={() => void channel.refetch()} /> : <Loading />;
}

function Shown({ channel }: { channel: Channel }) {
  const { id, name, enabled, kind, url, to, disabled_reason } = channel;
  const mayWrite = useMay('notifications.write');
  const [asking, setAsking] = useState<Asking>();
  const [made, setMade] = useState<Channel>();
  const test = useMutation({
    mutationFn: async () =>
      accepted(
        await api.POST('/api/v1/notification-channels/{channel}/test', {
          params: { path: { channel: id }, header: { 'Idempotency-Key': crypto.randomUUID() } },
        }),
      ),
  });
  return (
    <article className="sections notifications">
      <header>
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/notifications">
            <Icon name="back" /> Notifications
          </Link>
        </nav>
        <div className="incident-marks">
          <ChannelChip channel={channel} />
          <span className="soft">{kind}</span>
          <span className="mono soft channel-to">{url ?? to?.join(', ')}</span>
        </div>
        <h1>{name}</h1>
        {disabled_reason && <p className="wrong">Nothing is sent: {disabled_reason}</p>}
        {mayWrite && (
          <div className="actions">
            <Button look="primary" disabled={test.isPending} onClick={() => test.mutate()}>
              {test.isPending ? 'Sending …' : 'Send a test'}
            </Button>
            <Button onClick={() => setAsking('edit')}>Edit …</Button>
            {kind === 'webhook' && <Button onClick={() => setAsking('rotate')}>New secret …</Button>}
            {enabled && <Button onClick={() => setAsking('replay')}>Replay …</Button>}
            <Button onClick={() => setAsking(enabled ? 'disable' : 'enable')}>
              {enabled ? 'Switch off …' : 'Switch on …'}
            </Button>
            <Button onClick={() => setAsking('delete')}>Delete …</Button>
          </div>
        )}
        {test.isError && (
          <p className="wrong" role="alert">
            Not tested. {wordsOf(test.error)}
          </p>
        )}
        {test.data && !test.isPending && <Tested test={test.data} />}
      </header>
      <Deliveries channel={id} />
      {asking && (
        <Ask
          what={asking}
          channel={channel}
          onClose={() => setAsking(undefined)}
          onDone={(changed) => {
            setAsking(undefined);
            setMade(changed);
          }}
        />
      )}
      {made && <SecretOf channel={made} onClose={() => setMade(undefined)} />}
    </article>
  );
}

/** What the receiver said. */
function Tested({ test }: { test: Schemas['NotificationTest'] }) {
  const { sent, detail, response, latency_ms, reason } = test;
  return (
    <div className="tested" role="status" data-tone={sent ? 'good' : 'bad'}>
      <p>
        <strong className="tone">{sent ? 'The receiver took the test' : 'The test was not taken'}:</strong>{' '}
        {[reason && reasonOf(reason), detail, `${latency_ms} ms`].filter(Boolean).join(', ')}
      </p>
      {response && (
        <pre className="json" tabIndex={0} aria-label="Its answer">
          {response}
        </pre>
      )}
    </div>
  );
}
