import { accepted } from '@signalbox/client/react';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useRef } from 'react';

import { api, isFinal, wordsOf } from '../../api.ts';
import { FormDialog } from '../../widgets/dialog.tsx';
import { Choice, TextArea, TextField } from '../../widgets/field.tsx';
import { PRIORITIES, type Priority, SEVERITIES, type Severity } from './incident.ts';

/** Reports an incident. Pressed twice, or sent again after an error, it is reported once. */
export function ReportDialog({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const key = useRef(crypto.randomUUID());
  const report = useMutation({
    mutationFn: async (form: FormData) => {
      const value = (name: string) => String(form.get(name) ?? '').trim();
      const servers = value('servers').split(/[\s,]+/);
      const body = {
        title: value('title'),
        description: value('description'),
        severity: value('severity') as Severity,
        priority: value('priority') as Priority,
        affected_servers: servers.filter(Boolean),
      };
      const params = { header: { 'Idempotency-Key': key.current } };
      return accepted(await api.POST('/api/v1/incidents', { params, body }));
    },
    onSuccess: (incident) => void navigate({ to: `/incidents/${incident.key}` }),
    // What is corrected after a refusal is another command.
    onError: (error) => {
      if (isFinal(error)) key.current = crypto.randomUUID();
    },
  });
  return (
    <FormDialog
      title="Report an incident"
      submit="Report"
      busy={report.isPending}
      wrong={report.isError ? wordsOf(report.error) : undefined}
      onSubmit={(form) => report.mutate(form)}
      onClose={onClose}
    >
      <TextField label="Title" name="title" required maxLength={200} />
      <TextArea label="Description" name="description" maxLength={16384} />
      <div className="form-pair">
        <Choice label="Severity" name="severity" of={SEVERITIES} defaultValue="P3" hint="P0 is the worst" />
        <Choice label="Priority" name="priority" of={PRIORITIES} defaultValue="normal" hint="How soon" />
      </div>
      <TextField label="Affected servers" name="servers" hint="Names, with spaces between" />
    </FormDialog>
  );
}
