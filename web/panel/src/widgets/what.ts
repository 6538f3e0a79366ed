import type { EventOf } from '@signalbox/client';

import type { Schemas } from '../api.ts';

/** What an event says, in one line. Of a type that this version does not know: its data. */
export function whatOf(envelope: Schemas['Event']): string {
  const event = envelope as EventOf;
  switch (event.type) {
    case 'incident.created':
      return `reported INC-${event.data.number} ${event.data.title}`;
    case 'incident.status.changed': {
      const { old, new: now, reason, resolution } = event.data;
      return [`moved it from ${old} to ${now}`, reason, resolution].filter(Boolean).join(': ');
    }
    case 'incident.assigned':
      return event.data.new ? `assigned it to ${event.data.new}` : 'assigned it to nobody';
    case 'incident.commented':
      return event.data.text;
    case 'incident.updated':
      return changes(event.data.changes);
    case 'incident.merged':
      return `merged it into INC-${event.data.into.number}`;
    case 'incident.unmerged':
      return `separated it from INC-${event.data.from.number}`;
    case 'incident.absorbed':
      return `took in INC-${event.data.incident.number}`;
    case 'incident.released':
      return `let go INC-${event.data.incident.number}`;
    case 'user.created':
      return `made ${event.data.username}, ${anyOf(event.data.roles)}`;
    case 'user.invited':
      return 'made a link to set the password';
    case 'user.password.changed':
      return 'set the password';
    case 'user.roles.changed':
      return `changed roles from ${anyOf(event.data.old)} to ${anyOf(event.data.new)}`;
    case 'user.disabled':
    case 'user.enabled':
      return [event.type.slice('user.'.length), event.data.reason].filter(Boolean).join(': ');
    case 'user.signed_in':
      return `signed in as ${event.data.username}`;
    case 'user.signed_out':
      return `signed out as ${event.data.username}`;
    case 'token.created':
      return `made the token ${event.data.name}, which may ${anyOf(event.data.permissions)}`;
    case 'access.denied':
      return `was refused ${event.data.operation}: lacks ${event.data.missing}`;
    case 'automation.queued':
      return `asked for a run of ${event.data.definition.name}: ${event.data.reason}`;
    case 'automation.step.started':
      return `began the step ${event.data.name}, attempt ${event.data.attempt}`;
    case 'automation.step.finished': {
      const { name, outcome, reason } = event.data;
      return [`the step ${name} ${outcome.replaceAll('_', ' ')}`, reason].filter(Boolean).join(': ');
    }
    case 'automation.runbook.created':
      return `wrote the runbook ${event.data.definition.name}`;
    case 'automation.runbook.updated':
      return `changed the runbook ${event.data.new.name}`;
    default:
      return facts((event as { data: unknown }).data);
  }
}

function changes(all: object): string {
  const words = Object.entries(all).map(([field, change]) => `${field}: ${show((change as { new: unknown }).new)}`);
  return `changed ${words.join(', ')}`;
}

function facts(data: unknown): string {
  if (typeof data !== 'object' || data === null) return String(data ?? '');
  return Object.entries(data)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${show(value)}`)
    .join(', ');
}

/** The words of a list. */
function anyOf(words: readonly string[]): string {
  return words.join(', ') || 'nothing';
}

function show(value: unknown): string {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return anyOf(value);
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
