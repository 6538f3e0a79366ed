import '../../styles/runs.css';

import { accepted, CommandRefused } from '@signalbox/client/react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';

import { api, wordsOf } from '../../api.ts';
import { useMay } from '../../session/session.tsx';
import { useKeys } from '../../shell/keys.ts';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { Icon } from '../../widgets/icon.tsx';
import { Scroll } from '../../widgets/scroll.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { Ago, exactly, Until } from '../../widgets/time.tsx';
import { type Definition, type Runbook, runbookKey, runbookQuery } from '../runbooks/query.ts';
import { RunTable } from '../runs/page.tsx';
import { RunDialog } from './run.tsx';
import { Steps } from './steps.tsx';

/** Runs shown here; the rest are one step away. */
const LAST_RUNS = 10;

/** One runbook: what it does, what starts it, what became of it. */
export default function RunbookPage() {
  const { runbook: id } = useParams({ strict: false }) as { runbook: string };
  const runbook = useQuery(runbookQuery(id));
  useTitle(runbook.data?.definition.name ?? 'Runbook');
  if (runbook.isError && !runbook.data) {
    const { error } = runbook;
    return error instanceof CommandRefused && [400, 404].includes(error.problem.status) ? (
      <Empty title="There is no such runbook">
        <Link to="/runbooks">All runbooks</Link>
      </Empty>
    ) : (
      <Failed error={error} again={() => void runbook.refetch()} />
    );
  }
  if (!runbook.data) return <Loading />;
  return <Shown runbook={runbook.data} />;
}

function Shown({ runbook }: { runbook: Runbook }) {
  const { definition, archived } = runbook;
  const inputs = definition.inputs ?? [];
  return (
    <article className="sections">
      <header>
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/runbooks">
            <Icon name="back" /> Runbooks
          </Link>
        </nav>
        <h1>{definition.name}</h1>
        <p className="soft">
          {archived && <strong>Put away: nothing starts it. </strong>}
          Version {runbook.version}, changed <Ago at={runbook.updated_at} suffix=" ago" />
        </p>
        {definition.description && <p className="incident-text">{definition.description}</p>}
        <Actions runbook={runbook} />
      </header>
      <section className="section">
        <h2>What starts it</h2>
        <Starters runbook={runbook} />
      </section>
      {inputs.length > 0 && (
        <section className="section">
          <h2>Inputs</h2>
          <Inputs inputs={inputs} />
        </section>
      )}
      <section className="section">
        <h2>Steps</h2>
        <Steps steps={definition.steps} />
      </section>
      <LastRuns id={runbook.id} />
    </article>
  );
}

function Actions({ runbook }: { runbook: Runbook }) {
  const navigate = useNavigate();
  const search: Record<string, unknown> = useSearch({ strict: false });
  const [mayRun, mayWrite] = [useMay('automations.run') && !runbook.archived, useMay('automations.write')];
  const [moving, setMoving] = useState(false);
  const here = `/runbooks/${runbook.id}`;
  const ask = (open: boolean) =>
    void navigate({ to: here, search: { run: open ? '1' : undefined } as never, replace: !open });
  const edit = () => void navigate({ to: `${here}/edit` });
  useKeys({ ...(mayRun ? { r: () => ask(true) } : {}), ...(mayWrite && !runbook.archived ? { e: edit } : {}) });
  return (
    <div className="actions" role="group" aria-label="Actions">
      {mayRun && (
        <Button look="primary" shortcut="r" onClick={() => ask(true)}>
          Run …
        </Button>
      )}
      {mayWrite && !runbook.archived && (
        <Button icon="edit" shortcut="e" onClick={edit}>
          Edit
        </Button>
      )}
      {mayWrite && (
        <Button onClick={() => setMoving(true)}>{runbook.archived ? 'Take out again …' : 'Put away …'}</Button>
      )}
      <Link className="button" data-look="plain" to="/events" search={{ stream: `runbook/${runbook.id}` } as never}>
        Its changes
      </Link>
      {search.run === '1' && mayRun && <RunDialog runbook={runbook} onClose={() => ask(false)} />}
      {moving && <MoveDialog runbook={runbook} onClose={() => setMoving(false)} />}
    </div>
  );
}

/** Puts it away, or takes it out again. Nothing is ever deleted: what was run must stay readable. */
function MoveDialog({ runbook, onClose }: { runbook: Runbook; onClose: () => void }) {
  const queries = useQueryClient();
  const { archived, definition } = runbook;
  const move = useMutation({
    mutationFn: async (form: FormData) => {
      const reason = String(form.get('reason') ?? '').trim();
      const body = reason ? { reason } : {};
      const header = { 'Idempotency-Key': crypto.randomUUID(), 'If-Match': `"${runbook.version}"` };
      const params = { path: { runbook: runbook.id }, header };
      return accepted(
        archived
          ? await api.POST('/api/v1/runbooks/{runbook}/restore', { params, body })
          : await api.POST('/api/v1/runbooks/{runbook}/archive', { params, body }),
      );
    },
    onSuccess: (after) => {
      queries.setQueryData(runbookKey(after.id), after);
      onClose();
    },
  });
  return (
    <FormDialog
      title={`${archived ? 'Take out again' : 'Put away'}: ${definition.name}`}
      submit={archived ? 'Take out again' : 'Put away'}
      look={archived ? 'primary' : 'danger'}
      busy={move.isPending}
      wrong={move.isError ? wordsOf(move.error) : undefined}
      onSubmit={(form) => move.mutate(form)}
      onClose={onClose}
    >
      <p className="soft">
        {archived
          ? 'It can be run again, and its schedule and its rule for events hold again.'
          : 'Nothing starts it any more: no hand, no schedule, no event. Runs that have begun go on, and it can be taken out again.'}
      </p>
      <TextField label="Why" name="reason" maxLength={2000} />
    </FormDialog>
  );
}

function Starters({ runbook: { id, archived, definition } }: { runbook: Runbook }) {
  const { schedule, on_event } = definition;
  const times = useQuery({
    queryKey: [...runbookKey(id), 'times'],
    enabled: Boolean(schedule) && !archived,
    // Time passes without an event.
    refetchInterval: 60_000,
    queryFn: async ({ signal }) =>
      accepted(await api.GET('/api/v1/runbooks/{runbook}/times', { params: { path: { runbook: id } }, signal })).items,
  });
  return (
    <dl className="pairs">
      <Pair name="by hand">whoever may run automations</Pair>
      {schedule && (
        <Pair name="at times">
          <span className="mono">{schedule.cron}</span> <span className="soft">in {schedule.time_zone}</span>
          {times.data?.length === 0 && ', which never comes'}
          <ul className="times">
            {times.data?.map((at, place) => (
              <li key={at} className={place === 0 ? undefined : 'soft'}>
                {exactly(at)}
                {place === 0 && (
                  <strong>
                    {' '}
                    in <Until at={at} />
                  </strong>
                )}
              </li>
            ))}
          </ul>
          <Given inputs={schedule.inputs} />
        </Pair>
      )}
      {on_event && (
        <Pair name="on events">
          <span className="mono">{on_event.types.join(', ')}</span>
          {on_event.condition && (
            <>
              {' '}
              where <span className="mono">{on_event.condition}</span>
            </>
          )}
          <Given inputs={on_event.inputs} />
          <Given inputs={on_event.inputs_from} words="from the event’s" />
        </Pair>
      )}
    </dl>
  );
}

function Pair({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Given({ inputs, words = 'with' }: { inputs: object | undefined; words?: string }) {
  const all = Object.entries(inputs ?? {});
  if (all.length === 0) return null;
  return (
    <div className="soft">
      {words} <span className="mono">{all.map(([name, value]) => `${name} = ${String(value)}`).join(', ')}</span>
    </div>
  );
}

function Inputs({ inputs }: { inputs: NonNullable<Definition['inputs']> }) {
  return (
    <Scroll label="Inputs">
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Kind</th>
            <th scope="col">Needed</th>
            <th scope="col">Without a value</th>
            <th scope="col">What it is</th>
          </tr>
        </thead>
        <tbody>
          {inputs.map(({ name, kind, secret, required, default: preset, choices, description }) => (
            <tr key={name}>
              <th scope="row" className="mono">
                {name}
              </th>
              <td>{secret ? 'secret' : kind === 'choice' ? choices?.join(', ') : kind}</td>
              <td>{required ? 'yes' : <span className="soft">no</span>}</td>
              <td className="mono">{preset == null ? <span className="soft">–</span> : String(preset)}</td>
              <td className="soft">{description}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function LastRuns({ id }: { id: string }) {
  const runs = useQuery({
    queryKey: ['runs', { runbook: id }, 'last'],
    queryFn: async ({ signal }) => {
      const query = { runbook: id, limit: LAST_RUNS };
      return accepted(await api.GET('/api/v1/executions', { params: { query }, signal })).items;
    },
  });
  return (
    <section className="section">
      <h2>Last runs</h2>
      {runs.isPending && <Loading lines={3} />}
      {runs.isError && !runs.data && <Failed error={runs.error} again={() => void runs.refetch()} />}
      {runs.data?.length === 0 && <p className="soft">It has never been run.</p>}
      {runs.data && runs.data.length > 0 && (
        <>
          <Scroll label="Last runs">
            <RunTable runs={runs.data} />
          </Scroll>
          <p className="section-foot">
            <Link to="/runs" search={{ runbook: id } as never}>
              All its runs
            </Link>
          </p>
        </>
      )}
    </section>
  );
}
