import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { api } from '../../api.ts';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextArea, TextField } from '../../widgets/field.tsx';
import { typesQuery } from '../log/query.ts';
import { textOf, useFormCommand } from './command.ts';
import { ConditionField } from './condition.tsx';
import type { Channel, Rule } from './query.ts';

const FIELDS = ['/name', '/channel', '/types', '/condition', '/subject', '/text'];
/** What deliveries say themselves: a rule on it would never end. */
const UNHEARD = ['notification.sent', 'notification.failed'];

/** Asks for a new rule, or for what changes of one. */
export function RuleForm(props: {
  rule?: Rule | undefined;
  channels: Channel[];
  onDone: (rule: Rule) => void;
  onClose: () => void;
}) {
  const { rule, channels, onDone, onClose } = props;
  const [types, setTypes] = useState(rule?.types ?? []);
  const [channel, setChannel] = useState(rule?.channel ?? channels[0]?.id ?? '');
  const [sent, setSent] = useState('');
  const isMail = channels.find(({ id }) => id === channel)?.kind === 'mail';
  const { dialog, fault } = useFormCommand({
    version: rule?.version,
    fields: FIELDS,
    done: onDone,
    send: async (form, header) => {
      // Not trimmed: the server counts characters of what was sent, and shows a place in what is seen.
      const condition = String(form.get('condition') ?? '');
      setSent(condition);
      const text = (name: string) => textOf(form, name) || null;
      const facts = { name: textOf(form, 'name'), channel, types };
      const words = { condition: condition.trim() ? condition : null, text: text('text'), subject: text('subject') };
      if (rule) {
        const params = { path: { rule: rule.id }, header };
        const body = { ...facts, ...words } as never;
        return accepted(await api.PATCH('/api/v1/notification-rules/{rule}', { params, body }));
      }
      const given = Object.fromEntries(Object.entries(words).filter(([, value]) => value !== null));
      const body = { ...facts, ...given } as never;
      return accepted(await api.POST('/api/v1/notification-rules', { params: { header }, body }));
    },
  });
  return (
    <FormDialog
      title={rule ? `Edit ${rule.name}` : 'New rule'}
      submit={rule ? 'Change' : 'Create'}
      {...dialog}
      onClose={onClose}
    >
      <div className="form-pair">
        <TextField label="Name" name="name" required maxLength={100} defaultValue={rule?.name} fault={fault('/name')} />
        <label className="field">
          <span>To</span>
          <select className="input" value={channel} onChange={(event) => setChannel(event.target.value)}>
            {channels.map(({ id, name, kind }) => (
              <option key={id} value={id}>
                {name} ({kind})
              </option>
            ))}
          </select>
          {fault('/channel') && <small className="fault">{fault('/channel')}</small>}
        </label>
      </div>
      <TypesField types={types} onChange={setTypes} fault={fault('/types')} />
      <ConditionField value={rule?.condition ?? ''} fault={fault('/condition')} sent={sent} />
      {isMail && (
        <TextField
          label="Subject"
          name="subject"
          maxLength={4000}
          defaultValue={rule?.subject ?? ''}
          placeholder="{{data.severity}}: {{data.title}}"
          fault={fault('/subject')}
        />
      )}
      <TextArea
        label="Text"
        name="text"
        rows={2}
        maxLength={4000}
        defaultValue={rule?.text ?? ''}
        placeholder="{{data.severity}}: {{data.title}}"
        hint="Facts in {{ }}. Empty: the server's own words"
        fault={fault('/text')}
      />
      <p className="soft">
        {rule ? 'You become its owner: it' : 'It'} sees what you may see, from now on. What happened before is sent by a
        replay.
      </p>
    </FormDialog>
  );
}

/** Types and families, added one by one. */
function TypesField(props: { types: string[]; onChange: (types: string[]) => void; fault: string | undefined }) {
  const { types, onChange, fault } = props;
  const known = useQuery(typesQuery).data?.map(({ name }) => name) ?? [];
  const families = [...new Set(known.map((name) => `${name.split('.')[0]}.*`))];
  const offered = ['*', ...families, ...known].filter((each) => !types.includes(each) && !UNHEARD.includes(each));
  return (
    <fieldset className="types">
      <legend>Events</legend>
      {types.map((type) => (
        <span key={type} className="token mono">
          {type}
          <Button
            look="bare"
            icon="close"
            aria-label={`Without ${type}`}
            onClick={() => onChange(types.filter((each) => each !== type))}
          />
        </span>
      ))}
      <select
        className="input"
        aria-label="Add a type"
        value=""
        required={types.length === 0}
        onChange={(event) => onChange([...types, event.target.value])}
      >
        <option value="">{types.length ? 'Add another …' : 'Choose a type …'}</option>
        {offered.map((type) => (
          <option key={type} value={type}>
            {type === '*' ? '* (all)' : type}
          </option>
        ))}
      </select>
      {fault && (
        <small className="fault" role="alert">
          {fault}
        </small>
      )}
    </fieldset>
  );
}
