import '../../styles/runs.css';

import { accepted, CommandRefused } from '@signalbox/client/react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useBlocker, useNavigate, useParams } from '@tanstack/react-router';
import { useEffect, useMemo, useRef, useState } from 'react';

import { api, isFinal, wordsOf } from '../../api.ts';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { Icon } from '../../widgets/icon.tsx';
import { Menu, MenuItem } from '../../widgets/menu.tsx';
import { Failed, Loading } from '../../widgets/states.tsx';
import { type Definition, type Runbook, runbookKey, runbookQuery } from '../runbooks/query.ts';
import { Editor, type EditorHandle, type Problem } from './editor.tsx';
import { lineOf, lineOfError, placesIn } from './places.ts';
import { NEW, PARTS, STEPS, textOf } from './template.ts';

/** Writes a runbook, new or anew. */
export default function RunbookEditPage() {
  const { runbook: id } = useParams({ strict: false }) as { runbook?: string };
  // What is being edited is what was read first: that it has changed since is told when it is saved.
  const runbook = useQuery({ ...runbookQuery(id ?? ''), enabled: id !== undefined });
  const [began, setBegan] = useState<Runbook>();
  useEffect(() => setBegan((before) => before ?? runbook.data), [runbook.data]);
  useTitle(id ? `Edit ${began?.definition.name ?? 'a runbook'}` : 'Write a runbook');
  if (id === undefined) return <Form />;
  if (runbook.isError && !began) return <Failed error={runbook.error} again={() => void runbook.refetch()} />;
  return began ? <Form runbook={began} /> : <Loading />;
}

function Form({ runbook }: { runbook?: Runbook }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const editor = useRef<EditorHandle>(null);
  const key = useRef(crypto.randomUUID());
  const first = useMemo(() => (runbook ? textOf(runbook.definition) : JSON.stringify(NEW, undefined, 2)), [runbook]);
  const [text, setText] = useState(first);
  const save = useMutation({
    mutationFn: async (definition: Definition) => {
      const headers = { 'Idempotency-Key': key.current };
      return accepted(
        runbook
          ? await api.PUT('/api/v1/runbooks/{runbook}', {
              params: {
                path: { runbook: runbook.id },
                header: { ...headers, 'If-Match': `"${runbook.version}"` },
              },
              body: definition,
            })
          : await api.POST('/api/v1/runbooks', { params: { header: headers }, body: definition }),
      );
    },
    onSuccess: (saved) => {
      queries.setQueryData(runbookKey(saved.id), saved);
      void navigate({ to: `/runbooks/${saved.id}`, ignoreBlocker: true });
    },
    onError: (error) => {
      // What is corrected after a refusal is another command.
      if (isFinal(error)) key.current = crypto.randomUUID();
    },
  });
  useBlocker({
    shouldBlockFn: () => text !== first && !save.isSuccess && !confirm('Leave, and lose what you have written?'),
    enableBeforeUnload: () => text !== first && !save.isSuccess,
  });
  // Problems are of the text that was sent, and go when it changes.
  const [sent, setSent] = useState<string>();
  const problems = useMemo(() => (sent === text ? problemsOf(text, save.error) : []), [sent, text, save.error]);
  const back = runbook ? `/runbooks/${runbook.id}` : '/runbooks';
  const submit = () => {
    setSent(text);
    try {
      save.mutate(JSON.parse(text) as Definition);
    } catch {
      save.reset(); // told beside the text
    }
  };
  const put = (change: (definition: Record<string, unknown>) => void) => {
    const next = changed(text, change);
    if (next === undefined) return submit();
    setText(next);
    editor.current?.focus();
  };
  return (
    <article className="sections edit">
      <header>
        <nav className="crumbs" aria-label="Where you are">
          <Link to={back}>
            <Icon name="back" /> {runbook ? runbook.definition.name : 'Runbooks'}
          </Link>
        </nav>
        <h1>{runbook ? `Edit ${runbook.definition.name}` : 'Write a runbook'}</h1>
        <p className="soft">
          In texts of steps, <span className="mono">{'{{inputs.name}}'}</span> is what an input was given. The{' '}
          <a href="/docs">API document</a> says what each field means.
        </p>
        <div className="actions">
          <Button look="primary" shortcut="Ctrl Enter" disabled={save.isPending} onClick={submit}>
            {save.isPending ? 'Saving …' : 'Save'}
          </Button>
          <Menu label="Add">
            {Object.entries(STEPS).map(([kind, step]) => (
              <MenuItem key={kind} onSelect={() => put((definition) => addStep(definition, step))}>
                Step: {kind}
              </MenuItem>
            ))}
            <MenuItem
              onSelect={() => put((all) => (all.inputs = [...listOf(all.inputs), { name: '', required: true }]))}
            >
              Input
            </MenuItem>
            <MenuItem onSelect={() => put((all) => (all.schedule ??= PARTS.schedule))}>Schedule</MenuItem>
            <MenuItem onSelect={() => put((all) => (all.on_event ??= PARTS.on_event))}>Rule for events</MenuItem>
          </Menu>
          <Link className="button" data-look="plain" to={back}>
            Cancel
          </Link>
        </div>
      </header>
      <Problems problems={problems} toLine={(line) => editor.current?.toLine(line)} />
      <Editor ref={editor} text={text} problems={problems} onChange={setText} onSubmit={submit} />
    </article>
  );
}

function Problems({ problems, toLine }: { problems: readonly Problem[]; toLine: (line: number) => void }) {
  if (problems.length === 0) return null;
  return (
    <ul className="wrong problems" role="alert">
      {problems.map(({ line, message, pointer }) => (
        <li key={`${pointer} ${message}`}>
          {line === undefined ? (
            message
          ) : (
            <button type="button" onClick={() => toLine(line)}>
              Line {line + 1}: {pointer && <span className="mono">{pointer}</span>} {message}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

/** What is wrong, each at its line: what the parser says, or else what the server has said. */
function problemsOf(text: string, error: unknown): Problem[] {
  try {
    JSON.parse(text);
  } catch (failure) {
    const message = failure instanceof Error ? failure.message : String(failure);
    return [{ line: lineOfError(message, text), message: `is not JSON: ${message}` }];
  }
  if (!error) return [];
  const errors = error instanceof CommandRefused ? (error.problem.errors ?? []) : [];
  if (errors.length === 0) return [{ message: wordsOf(error) }];
  const places = placesIn(text);
  return errors.map(({ pointer, message }) => ({ line: lineOf(places, pointer), pointer, message }));
}

/** The text with something put into it; undefined while it cannot be read. */
function changed(text: string, change: (definition: Record<string, unknown>) => void): string | undefined {
  try {
    const definition = JSON.parse(text) as Record<string, unknown>;
    change(definition);
    return JSON.stringify(definition, undefined, 2);
  } catch {
    return undefined;
  }
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Behind the others, under a name that none of them has. */
function addStep(definition: Record<string, unknown>, step: { name: string }) {
  const steps = listOf(definition.steps);
  const names = new Set(steps.map((one) => (one as { name?: unknown } | null)?.name));
  let { name } = step;
  for (let nth = 2; names.has(name); nth += 1) name = `${step.name} ${nth}`;
  definition.steps = [...steps, { ...step, name }];
}
