import { accepted, useOptimisticCommand } from '@signalbox/client/react';

import { api, type Schemas, wordsOf } from '../../api.ts';
import { say } from '../../widgets/toasts.tsx';
import type { Action, Incident, Status } from './incident.ts';
import { incidentKey, offered } from './live.ts';

/** What is asked for, of one incident. */
export type Command =
  | { do: 'move'; to: Status; reason?: string; resolution?: string }
  | { do: 'reopen'; reason?: string }
  | { do: 'cancel'; reason?: string }
  | { do: 'assign'; assignee: string | null }
  | { do: 'comment'; text: string }
  | { do: 'update'; changes: Schemas['IncidentChanges'] }
  | { do: 'merge'; into: string }
  | { do: 'unmerge' };

/** The moves, what they are called on a button, and where they lead. */
export const MOVES: Partial<Record<Action, { words: string; to: Status }>> = {
  acknowledge: { words: 'Acknowledge', to: 'acknowledged' },
  unacknowledge: { words: 'Give back', to: 'triggered' },
  investigate: { words: 'Investigate', to: 'investigating' },
  mitigate: { words: 'Mitigate', to: 'mitigated' },
  resolve: { words: 'Resolve', to: 'resolved' },
  close: { words: 'Close', to: 'closed' },
};

/** How an incident will look; where only the server knows, as it is. */
export function apply(incident: Incident, command: Command): Incident {
  switch (command.do) {
    case 'move':
      return offered({ ...incident, status: command.to });
    case 'cancel':
      return offered({ ...incident, status: 'cancelled' });
    case 'assign':
      return { ...incident, assignee: command.assignee };
    case 'comment':
      return { ...incident, comments: incident.comments + 1 };
    default:
      return incident;
  }
}

/** Sends a command. */
export async function send(id: string, command: Command, headers: Record<string, string>): Promise<Incident> {
  const params = { path: { incident: id }, header: headers };
  const reason = 'reason' in command && command.reason ? { reason: command.reason } : {};
  switch (command.do) {
    case 'move': {
      const resolution = command.resolution ? { resolution: command.resolution } : {};
      const body = { to: command.to, ...reason, ...resolution };
      return accepted(await api.POST('/api/v1/incidents/{incident}/status', { params, body }));
    }
    case 'reopen':
      return accepted(await api.POST('/api/v1/incidents/{incident}/reopen', { params, body: reason }));
    case 'cancel':
      return accepted(await api.POST('/api/v1/incidents/{incident}/cancel', { params, body: reason }));
    case 'assign': {
      const body = { assignee: command.assignee };
      return accepted(await api.POST('/api/v1/incidents/{incident}/assign', { params, body }));
    }
    case 'comment': {
      const body = { text: command.text };
      return accepted(await api.POST('/api/v1/incidents/{incident}/comments', { params, body }));
    }
    case 'update':
      return accepted(await api.PATCH('/api/v1/incidents/{incident}', { params, body: command.changes }));
    case 'merge': {
      const body = { into: command.into };
      return accepted(await api.POST('/api/v1/incidents/{incident}/merge', { params, body }));
    }
    case 'unmerge':
      return accepted(await api.POST('/api/v1/incidents/{incident}/unmerge', { params }));
  }
}

/** A command on one incident: shown at once, confirmed by its answer or its event, taken back if refused. */
export function useIncidentCommand() {
  return useOptimisticCommand<{ id: string; command: Command }, Incident>({
    queryKey: ({ id }) => incidentKey(id),
    apply: (incident, { command }) => apply(incident, command),
    send: ({ id, command }, headers) => send(id, command, headers),
  });
}

/** The same, which says in a corner when it is refused. */
export function useQuickCommand(): (incident: Incident, command: Command) => void {
  const { mutate } = useIncidentCommand();
  return (incident, command) =>
    mutate(
      { id: incident.id, command },
      { onError: (error) => say(`${incident.key} was not changed. ${wordsOf(error)}`, 'bad') },
    );
}
