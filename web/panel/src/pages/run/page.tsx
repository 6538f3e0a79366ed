import '../../styles/runs.css';

import { accepted, CommandRefused } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { api } from '../../api.ts';
import { useMe } from '../../session/session.tsx';
import { useTitle } from '../../shell/title.ts';
import { useGlow } from '../../widgets/glow.ts';
import { Icon } from '../../widgets/icon.tsx';
import { useNarrow } from '../../widgets/narrow.ts';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { Ago, exactly, Until } from '../../widgets/time.tsx';
import { filled } from '../runbook/values.ts';
import { type Run, runQuery } from '../runbooks/query.ts';
import { RunChip } from '../runs/chip.tsx';
import { statusWords } from '../runs/filter.ts';
import { Took } from '../runs/took.tsx';
import { userKey } from '../users/query.ts';
import { textOf } from '../runbook_edit/template.ts';
import { RunActions } from './actions.tsx';
import { Output } from './output.tsx';
import { RunSteps } from './steps.tsx';

/** One run: how far it is, what it prints, and what can be done. */
export default function RunPage() {
  const { run: id } = useParams({ strict: false }) as { run: string };
  const run = useQuery(runQuery(id));
  useTitle(run.data ? `${run.data.definition.name}: ${statusWords(run.data.status)}` : 'Run');
  if (run.isError && !run.data) {
    const { error } = run;
    return error instanceof CommandRefused && [400, 404].includes(error.problem.status) ? (
      <Empty title="There is no such run">
        <Link to="/runs">All runs</Link>
      </Empty>
    ) : (
      <Failed error={error} again={() => void run.refetch()} />
    );
  }
  if (!run.data) return <Loading />;
  return <Shown key={id} run={run.data} />;
}

function Shown({ run }: { run: Run }) {
  const isNarrow = useNarrow();
  const done = run.steps.filter(({ status }) => status === 'succeeded').length;
  return (
    <article className="run">
      <Head run={run} />
      <div className="run-columns">
        {isNarrow ? (
          <details className="run-side">
            <summary>
              {done} of {run.steps.length} steps done
            </summary>
            <Side run={run} />
          </details>
        ) : (
          <aside className="run-side" aria-label="How far it is">
            <Side run={run} />
          </aside>
        )}
        <Output id={run.id} isOver={Boolean(run.ended_at)} />
      </div>
    </article>
  );
}

function Head({ run }: { run: Run }) {
  const head = useGlow<HTMLElement>(run.status);
  return (
    <header ref={head} className="run-head">
      <nav className="crumbs" aria-label="Where you are">
        <Link to="/runs">
          <Icon name="back" /> Runs
        </Link>
      </nav>
      <div className="run-title">
        <h1>
          <Link to={`/runbooks/${run.runbook_id}`}>{run.definition.name}</Link>
        </h1>
        <RunChip status={run.status} />
        <span className="soft">
          <Took from={run.started_at} to={run.ended_at} />
        </span>
        <span className="grow" />
        <RunActions run={run} />
      </div>
      <Question run={run} />
      {run.cancel_reason && <p className="soft">It is being ended: {run.cancel_reason}</p>}
      {run.end_reason && (
        <p className={run.status === 'succeeded' ? 'soft' : 'wrong run-end'} role="status">
          {run.end_reason}
        </p>
      )}
    </header>
  );
}

/** What a person is to decide. */
function Question({ run }: { run: Run }) {
  const approval = run.definition.steps[run.step]?.approval;
  if (run.status !== 'waiting_approval' || !approval) return null;
  const due_at = run.steps[run.step]?.due_at;
  return (
    <div className="question" role="status">
      <strong>{filled(approval.prompt, run.inputs)}</strong>
      <span className="soft">
        {approval.by_another && 'Somebody else than who started it decides. '}
        {due_at && (
          <>
            Still open for <Until at={due_at} />.
          </>
        )}
      </span>
    </div>
  );
}

function Side({ run }: { run: Run }) {
  const inputs = Object.entries(run.inputs);
  return (
    <>
      <RunSteps run={run} />
      <dl className="pairs">
        <Pair name="Started">
          <Cause run={run} />
        </Pair>
        <Pair name="Why">{run.reason}</Pair>
        <Pair name="Queued">
          <Ago at={run.queued_at} suffix=" ago" />
        </Pair>
        {run.deadline && !run.ended_at && (
          <Pair name="Time left">
            <Until at={run.deadline} />
          </Pair>
        )}
        {inputs.map(([name, value]) => (
          <Pair key={name} name={name}>
            <span className="mono">{String(value)}</span>
          </Pair>
        ))}
      </dl>
      <details className="frozen">
        <summary>What it does, frozen at its start</summary>
        <pre className="json" tabIndex={0}>
          {textOf(run.definition)}
        </pre>
      </details>
      <p className="run-links">
        <Link to="/events" search={{ stream: `execution/${run.id}` } as never}>
          Its events
        </Link>
        <Link to="/runs" search={{ correlation: run.correlation_id } as never}>
          All runs of the same story
        </Link>
      </p>
    </>
  );
}

function Cause({ run: { trigger, queued_by } }: { run: Run }) {
  if (trigger.kind === 'schedule') return <>by its schedule, for {trigger.at ? exactly(trigger.at) : 'its time'}</>;
  if (trigger.kind === 'event') {
    return (
      <>
        by{' '}
        <Link to="/events" search={{ seq: trigger.seq } as never}>
          {trigger.type} {trigger.seq}
        </Link>
      </>
    );
  }
  return <Who actor={queued_by} />;
}

/** Whose hand it was; by name, for whoever may know the names. */
function Who({ actor }: { actor: string }) {
  const me = useMe();
  const id = actor.startsWith('user:') ? actor.slice('user:'.length) : '';
  const user = useQuery({
    queryKey: userKey(id),
    enabled: id !== '' && id !== me.id && me.permissions.includes('users.read'),
    queryFn: async ({ signal }) =>
      accepted(await api.GET('/api/v1/users/{user}', { params: { path: { user: id } }, signal })),
  });
  if (id === me.id) return <>by you</>;
  return user.data ? <Link to={`/users/${id}`}>by {user.data.name}</Link> : <>by hand</>;
}

function Pair({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
