import { useState } from 'react';

import { wordsOf } from '../../api.ts';
import { useMay, useMe } from '../../session/session.tsx';
import { useKeys } from '../../shell/keys.ts';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { Choice, TextArea, TextField } from '../../widgets/field.tsx';
import { type Command, MOVES, useIncidentCommand, useQuickCommand } from '../incidents/commands.ts';
import { type Action, type Incident, PRIORITIES, SEVERITIES, STATUSES } from '../incidents/incident.ts';

/** Actions that ask for words first. */
const ASKS = ['resolve', 'close', 'cancel', 'reopen', 'assign', 'update', 'merge'] as const;
type Asking = (typeof ASKS)[number];

const WORDS: Record<Action, string> = {
  acknowledge: 'Acknowledge',
  unacknowledge: 'Give back',
  investigate: 'Investigate',
  mitigate: 'Mitigate',
  resolve: 'Resolve',
  close: 'Close',
  reopen: 'Reopen',
  cancel: 'No incident',
  update: 'Edit',
  assign: 'Assign',
  comment: 'Comment',
  merge: 'Merge',
  unmerge: 'Undo the merge',
};

/** What may be done, as the server offers it; the one that leads on stands out. */
export function Actions({ incident }: { incident: Incident }) {
  const [asking, setAsking] = useState<Asking>();
  const command = useQuickCommand();
  const { username } = useMe();
  const mayWrite = useMay('incidents.write');
  const offered: Action[] = mayWrite ? incident.allowed_actions.filter((action) => action !== 'comment') : [];
  const next = offered.find((action) => leadsOn(incident, action));
  const act = (action: Action) => {
    const asks = ASKS.find((one) => one === action);
    const move = MOVES[action];
    if (!offered.includes(action)) return;
    if (asks) setAsking(asks);
    else if (move) command(incident, { do: 'move', to: move.to });
    else if (action === 'unmerge') command(incident, { do: 'unmerge' });
  };
  useKeys({
    e: () => act('acknowledge'),
    a: () => {
      if (offered.includes('assign')) command(incident, { do: 'assign', assignee: username });
    },
  });
  if (!mayWrite) return <p className="soft">You may read incidents, not change them.</p>;
  const waitsForOffer = incident.allowed_actions.length === 0;
  return (
    <div className="actions" role="group" aria-label="Actions">
      {offered.map((action) => (
        <Button
          key={action}
          look={action === next ? 'primary' : 'plain'}
          shortcut={action === 'acknowledge' ? 'e' : undefined}
          onClick={() => act(action)}
        >
          {WORDS[action] + (ASKS.some((one) => one === action) ? ' …' : '')}
        </Button>
      ))}
      {waitsForOffer && <span className="soft">Asking what is possible …</span>}
      {asking && <Ask key={asking} what={asking} incident={incident} onClose={() => setAsking(undefined)} />}
    </div>
  );
}

/** Whether a move goes towards the end, not back. */
function leadsOn({ status }: Incident, action: Action): boolean {
  const move = MOVES[action];
  return move !== undefined && STATUSES.indexOf(move.to) > STATUSES.indexOf(status);
}

/** Asks for what an action needs, sends it, and stays open when it is refused. */
function Ask({ what, incident, onClose }: { what: Asking; incident: Incident; onClose: () => void }) {
  const { mutate, isPending, error } = useIncidentCommand();
  const { username } = useMe();
  const submit = (form: FormData) =>
    mutate({ id: incident.id, command: commandOf(what, form, incident) }, { onSuccess: onClose });
  return (
    <FormDialog
      title={`${WORDS[what]}: ${incident.key}`}
      submit={what === 'cancel' ? 'It was no incident' : WORDS[what]}
      busy={isPending}
      wrong={error ? wordsOf(error) : undefined}
      onSubmit={submit}
      onClose={onClose}
    >
      {(what === 'resolve' || what === 'close') && (
        <TextArea label="How it ended" name="resolution" maxLength={2000} defaultValue={incident.resolution ?? ''} />
      )}
      {(what === 'cancel' || what === 'reopen') && <TextArea label="Why" name="reason" maxLength={2000} />}
      {what === 'assign' && (
        <TextField
          label="User name"
          name="assignee"
          defaultValue={incident.assignee ?? username}
          maxLength={64}
          hint="Empty: nobody"
        />
      )}
      {what === 'merge' && (
        <TextField
          label="The incident that goes on"
          name="into"
          required
          pattern="[Ii][Nn][Cc]-\d+"
          placeholder="INC-42"
          hint="This one is closed as its duplicate. That can be undone."
        />
      )}
      {what === 'update' && <EditFields incident={incident} />}
    </FormDialog>
  );
}

function EditFields({ incident }: { incident: Incident }) {
  return (
    <>
      <TextField label="Title" name="title" required maxLength={200} defaultValue={incident.title} />
      <TextArea label="Description" name="description" maxLength={16384} defaultValue={incident.description} />
      <div className="form-pair">
        <Choice label="Severity" name="severity" of={SEVERITIES} defaultValue={incident.severity} />
        <Choice label="Priority" name="priority" of={PRIORITIES} defaultValue={incident.priority} />
      </div>
      <TextField
        label="Affected servers"
        name="servers"
        defaultValue={incident.affected_servers.join(' ')}
        hint="Names, with spaces between"
      />
    </>
  );
}

function commandOf(what: Asking, form: FormData, incident: Incident): Command {
  const value = (name: string) => String(form.get(name) ?? '').trim();
  const reason = value('reason');
  switch (what) {
    case 'resolve':
    case 'close': {
      const resolution = value('resolution');
      const isNew = resolution && resolution !== incident.resolution;
      return { do: 'move', to: what === 'close' ? 'closed' : 'resolved', ...(isNew ? { resolution } : {}) };
    }
    case 'cancel':
    case 'reopen':
      return { do: what, ...(reason ? { reason } : {}) };
    case 'assign':
      return { do: 'assign', assignee: value('assignee') || null };
    case 'merge':
      return { do: 'merge', into: value('into').toUpperCase() };
    case 'update':
      return { do: 'update', changes: changesOf(value, incident) };
  }
}

/** Only what is different: another's change of another field stays. */
function changesOf(value: (name: string) => string, incident: Incident) {
  const fields = ['title', 'description', 'severity', 'priority'] as const;
  const changed = fields.filter((field) => value(field) !== incident[field]).map((field) => [field, value(field)]);
  const servers = value('servers')
    .split(/[\s,]+/)
    .filter(Boolean);
  const sameServers = servers.join(' ') === incident.affected_servers.join(' ');
  return { ...Object.fromEntries(changed), ...(sameServers ? {} : { affected_servers: servers }) };
}
