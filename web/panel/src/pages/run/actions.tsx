import { accepted, CommandRefused } from '@signalbox/client/react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { api, isFinal, type Schemas, wordsOf } from '../../api.ts';
import { useMe } from '../../session/session.tsx';
import { useKeys } from '../../shell/keys.ts';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { InputFields } from '../runbook/inputs.tsx';
import { valuesOf, wrongOf } from '../runbook/values.ts';
import { type Run, runKey } from '../runbooks/query.ts';

type Action = Schemas['ExecutionAction'];

/** What each is called, what it needs, and its key. */
const ACTIONS: Record<
  Action,
  { words: string; needs: string; key: string; look?: 'primary' | 'danger'; means: string }
> = {
  approve: {
    words: 'Approve',
    needs: 'automations.approve',
    key: 'a',
    look: 'primary',
    means: 'It goes on with the next step.',
  },
  reject: {
    words: 'Reject',
    needs: 'automations.approve',
    key: 'x',
    look: 'danger',
    means: 'It ends here, as failed.',
  },
  resume: {
    words: 'Go on',
    needs: 'automations.run',
    key: 'r',
    look: 'primary',
    means: 'It goes on from the step that failed.',
  },
  cancel: {
    words: 'Cancel',
    needs: 'automations.run',
    key: 'c',
    look: 'danger',
    means: 'What runs is ended, with all that it started.',
  },
};

/** What may be done with a run, as the server offers it. */
export function RunActions({ run }: { run: Run }) {
  const { permissions } = useMe();
  const [asking, setAsking] = useState<Action>();
  const offered = run.allowed_actions.filter((action) => permissions.includes(ACTIONS[action].needs));
  useKeys(Object.fromEntries(offered.map((action) => [ACTIONS[action].key, () => setAsking(action)])));
  return (
    <div className="actions" role="group" aria-label="Actions">
      {offered.map((action) => {
        const { words, key, look } = ACTIONS[action];
        return (
          <Button
            key={action}
            look={look === 'primary' ? 'primary' : 'plain'}
            shortcut={key}
            onClick={() => setAsking(action)}
          >
            {words} …
          </Button>
        );
      })}
      {asking && <Ask key={asking} action={asking} run={run} onClose={() => setAsking(undefined)} />}
    </div>
  );
}

/** Asks why, and for secrets where they were forgotten. */
function Ask({ action, run, onClose }: { action: Action; run: Run; onClose: () => void }) {
  const queries = useQueryClient();
  const { words, look, means } = ACTIONS[action];
  // Those that were given the first time: they have a value here, which is masked.
  const secrets = (run.definition.inputs ?? []).filter(({ name, secret }) => secret && name in run.inputs);
  const asked = action === 'resume' ? secrets.map((input) => ({ ...input, required: true })) : [];
  const act = useMutation({
    gcTime: 0, // it may hold a secret
    mutationFn: async (form: FormData) => accepted(await send(action, run, form, valuesOf(asked, form))),
    onSuccess: (after) => {
      queries.setQueryData<Run>(runKey(run.id), (now) => (now && now.version > after.version ? now : after));
      onClose();
    },
    onError: (error) => {
      if (isFinal(error)) void queries.invalidateQueries({ queryKey: runKey(run.id) });
    },
  });
  const { fields, rest } = wrongOf(act.error instanceof CommandRefused ? act.error.problem.errors : [], '/secrets');
  return (
    <FormDialog
      title={`${words}: ${run.definition.name}`}
      submit={words}
      look={look ?? 'primary'}
      busy={act.isPending}
      wrong={act.error ? [wordsOf(act.error), ...rest].join(' ') : undefined}
      onSubmit={(form) => act.mutate(form)}
      onClose={onClose}
    >
      <p className="soft">{means}</p>
      {asked.length > 0 && <p className="soft">Its secrets were forgotten when it ended, so they are needed again.</p>}
      <InputFields inputs={asked} wrong={fields} />
      <TextField label="Why" name="the reason" maxLength={2000} />
    </FormDialog>
  );
}

async function send(action: Action, run: Run, form: FormData, secrets: Record<string, unknown>) {
  const text = String(form.get('the reason') ?? '').trim();
  const body = text ? { reason: text } : {};
  const key = { 'Idempotency-Key': crypto.randomUUID() };
  // Decided on what is seen. To end it is wanted however far it has come meanwhile.
  const header = action === 'cancel' ? key : { ...key, 'If-Match': `"${run.version}"` };
  const params = { path: { execution: run.id }, header };
  switch (action) {
    case 'approve':
      return api.POST('/api/v1/executions/{execution}/approve', { params, body });
    case 'reject':
      return api.POST('/api/v1/executions/{execution}/reject', { params, body });
    case 'cancel':
      return api.POST('/api/v1/executions/{execution}/cancel', { params, body });
    case 'resume':
      return api.POST('/api/v1/executions/{execution}/resume', {
        params,
        body: { ...body, secrets: secrets as Record<string, string> },
      });
  }
}
