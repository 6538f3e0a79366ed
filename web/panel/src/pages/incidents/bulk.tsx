import { useState } from 'react';

import { wordsOf } from '../../api.ts';
import { useMe } from '../../session/session.tsx';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextArea, TextField } from '../../widgets/field.tsx';
import { say } from '../../widgets/toasts.tsx';
import { type Command, MOVES, useIncidentCommand } from './commands.ts';
import type { Action, Incident } from './incident.ts';

/** Commands under way at once: the server takes 100 requests per second of a user. */
const AT_ONCE = 4;

/** What can be done to several incidents at once. Each is a command of its own: one that is refused stops no other. */
export function BulkBar(props: {
  chosen: ReadonlySet<string>;
  find: (id: string) => Incident | undefined;
  onDone: () => void;
}) {
  const { chosen, find, onDone } = props;
  const { username } = useMe();
  const { mutateAsync } = useIncidentCommand();
  const [asking, setAsking] = useState<'resolve' | 'merge'>();
  const [busy, setBusy] = useState(false);
  const incidents = [...chosen].map(find).filter((one) => one !== undefined);
  const able = (action: Action) => incidents.filter((one) => one.allowed_actions.includes(action));

  const run = async (of: Incident[], command: Command, done: string) => {
    setBusy(true);
    const refused: string[] = [];
    const queue = [...of];
    const work = async () => {
      for (let one = queue.shift(); one; one = queue.shift()) {
        const { id, key } = one;
        await mutateAsync({ id, command }).catch((error: unknown) => refused.push(`${key}: ${wordsOf(error)}`));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    setBusy(false);
    setAsking(undefined);
    if (of.length > refused.length) say(`${of.length - refused.length} ${done}.`);
    if (refused.length > 0) say(`${refused.length} refused. ${refused.slice(0, 3).join(' ')}`, 'bad');
    onDone();
  };

  const acknowledge = able('acknowledge');
  const assign = able('assign');
  const resolve = able('resolve');
  const merge = able('merge');
  return (
    <div className="bulk" role="region" aria-label="Chosen incidents">
      <strong>{chosen.size} chosen</strong>
      <Button
        disabled={busy || acknowledge.length === 0}
        onClick={() => void run(acknowledge, { do: 'move', to: MOVES.acknowledge!.to }, 'acknowledged')}
      >
        Acknowledge {acknowledge.length || ''}
      </Button>
      <Button
        disabled={busy || assign.length === 0}
        onClick={() => void run(assign, { do: 'assign', assignee: username }, 'assigned to you')}
      >
        Assign to me
      </Button>
      <Button disabled={busy || resolve.length === 0} onClick={() => setAsking('resolve')}>
        Resolve …
      </Button>
      <Button disabled={busy || merge.length === 0} onClick={() => setAsking('merge')}>
        Merge …
      </Button>
      <span className="grow" />
      <Button look="bare" icon="close" aria-label="Choose none" onClick={onDone} />
      {asking === 'resolve' && (
        <FormDialog
          title={`Resolve ${resolve.length}`}
          submit="Resolve"
          busy={busy}
          onClose={() => setAsking(undefined)}
          onSubmit={(form) => {
            const resolution = String(form.get('resolution')).trim();
            void run(resolve, { do: 'move', to: 'resolved', ...(resolution && { resolution }) }, 'resolved');
          }}
        >
          <TextArea label="How it ended" name="resolution" maxLength={2000} />
        </FormDialog>
      )}
      {asking === 'merge' && (
        <FormDialog
          title={`Merge ${merge.length} into one`}
          submit="Merge"
          busy={busy}
          onClose={() => setAsking(undefined)}
          onSubmit={(form) => {
            const into = String(form.get('into')).trim().toUpperCase();
            const others = merge.filter((one) => one.key !== into);
            void run(others, { do: 'merge', into }, `merged into ${into}`);
          }}
        >
          <TextField
            label="The incident that goes on"
            name="into"
            required
            pattern="[Ii][Nn][Cc]-\d+"
            placeholder="INC-42"
            defaultValue={merge[merge.length - 1]?.key}
            hint="The others are closed as its duplicates. That can be undone."
          />
        </FormDialog>
      )}
    </div>
  );
}
