import { accepted, CommandRefused } from '@signalbox/client/react';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useRef } from 'react';

import { api, isFinal, wordsOf } from '../../api.ts';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import type { Runbook } from '../runbooks/query.ts';
import { InputFields } from './inputs.tsx';
import { valuesOf, wrongOf } from './values.ts';

/** Asks for what a runbook needs, and runs it. Pressed twice, or sent again after an error, it is run once. */
export function RunDialog({ runbook, onClose }: { runbook: Runbook; onClose: () => void }) {
  const { name, inputs = [], steps } = runbook.definition;
  const navigate = useNavigate();
  const key = useRef(crypto.randomUUID());
  const run = useMutation({
    // What was sent may be a secret: it is not kept for a moment.
    gcTime: 0,
    mutationFn: async (form: FormData) => {
      const reason = String(form.get('run reason') ?? '').trim();
      const body = { inputs: valuesOf(inputs, form), ...(reason ? { reason } : {}) };
      const headers = { 'Idempotency-Key': key.current, 'If-Match': `"${runbook.version}"` };
      const params = { path: { runbook: runbook.id }, header: headers };
      return accepted(await api.POST('/api/v1/runbooks/{runbook}/run', { params, body: body as never }));
    },
    onSuccess: ({ id }) => void navigate({ to: `/runs/${id}` }),
    onError: (error) => {
      // What is corrected after a refusal is another command.
      if (isFinal(error)) key.current = crypto.randomUUID();
    },
  });
  const errors = run.error instanceof CommandRefused ? run.error.problem.errors : [];
  const { fields, rest } = wrongOf(errors, '/inputs');
  const isBeside = Object.keys(fields).length > 0 && rest.length === 0;
  return (
    <FormDialog
      title={`Run: ${name}`}
      submit="Run"
      busy={run.isPending}
      wrong={run.error && !isBeside ? [wordsOf(run.error), ...rest].join(' ') : undefined}
      onSubmit={(form) => run.mutate(form)}
      onClose={onClose}
    >
      {inputs.length === 0 && (
        <p className="soft">
          It needs nothing. {steps.length} {steps.length === 1 ? 'step follows' : 'steps follow'}.
        </p>
      )}
      <InputFields inputs={inputs} wrong={fields} />
      <TextField label="Why" name="run reason" maxLength={2000} hint="Stands in the log, for whoever asks later" />
    </FormDialog>
  );
}
