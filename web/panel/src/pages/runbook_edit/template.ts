import type { Definition } from '../runbooks/query.ts';

/** What a new runbook begins with: enough to be run, and to show how it goes on. */
export const NEW = {
  name: '',
  description: '',
  inputs: [{ name: 'server', description: 'Which one', required: true }],
  steps: [{ name: 'Ask', approval: { prompt: 'Is {{inputs.server}} the right one?' }, timeout_s: 3600 }],
};

/** A step of each kind, as it is put into the text. */
export const STEPS = {
  http: { name: 'Ask over HTTP', http: { method: 'GET', url: 'https://example.com/healthz' }, timeout_s: 30 },
  command: { name: 'Run a command', command: { name: '', arguments: [] }, timeout_s: 120 },
  approval: { name: 'Wait for a person', approval: { prompt: 'Go on?', by_another: true }, timeout_s: 3600 },
  wait: { name: 'Wait', wait: { seconds: 30 } },
  'server test': { name: 'Test the server', server_test: { server: '{{inputs.server}}' } },
  incident: { name: 'Note it', incident: { incident: 'INC-1', comment: 'Done' } },
  notification: { name: 'Say so', notification: { subject: 'Done', text: 'It is done.' } },
} as const;

/** Other parts, each behind its field. */
export const PARTS = {
  schedule: { cron: '0 4 * * *', time_zone: 'UTC', inputs: {} },
  on_event: { types: ['incident.created'], condition: 'data.severity in ["P0", "P1"]', inputs_from: {} },
};

/** In this order fields are read best; those that are not here come behind. */
const ORDER = ['name', 'description', 'kind', 'secret', 'required', 'default', 'choices', 'inputs', 'steps'];
/** Fields that mean nothing when they are empty or false. */
const QUIET =
  /^(description|secret|required|choices|headers|expect|arguments|inputs|inputs_from|condition|by_another|continue_on_failure|repeatable)$/;

/** A definition as text, for people: in a good order, and without what goes without saying. */
export function textOf(definition: Definition): string {
  return JSON.stringify(definition, tidy, 2);
}

function tidy(field: string, value: unknown): unknown {
  if (value === null || (QUIET.test(field) && isNothing(value))) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => rank(a) - rank(b)));
}

function isNothing(value: unknown): boolean {
  return typeof value === 'object' && value ? Object.keys(value).length === 0 : !value;
}
