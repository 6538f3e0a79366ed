import type { EventOf } from '@signalbox/client';

import type { Schemas } from '../../api.ts';

export type Incident = Schemas['Incident'];
export type Status = Schemas['Status'];
export type Severity = Schemas['Severity'];
export type Priority = Schemas['Priority'];
export type Action = Schemas['Action'];
export type IncidentEvent = Extract<EventOf, { type: `incident.${string}` }>;

/** Still somebody's work, in the order of getting better. */
export const OPEN: readonly Status[] = ['triggered', 'acknowledged', 'investigating', 'mitigated'];
export const STATUSES: readonly Status[] = [...OPEN, 'resolved', 'closed', 'cancelled'];
export const SEVERITIES: readonly Severity[] = ['P0', 'P1', 'P2', 'P3', 'P4'];
export const PRIORITIES: readonly Priority[] = ['urgent', 'high', 'normal', 'low'];

/** The id of the incident that an event belongs to: its stream is `incident/<id>`. */
export function idOf(event: { stream: string }): string {
  return event.stream.slice('incident/'.length);
}

/** The incident that a first event reports. The server says what may be done with it: see `Offers`. */
export function created(event: EventOf<'incident.created'>): Incident {
  const { data, occurred_at: at } = event;
  return {
    ...data,
    id: idOf(event),
    key: `INC-${data.number}`,
    status: 'triggered',
    assignee: data.assignee ?? null,
    dedup_key: data.dedup_key ?? null,
    resolution: null,
    merged_into: null,
    absorbed: [],
    comments: 0,
    reopened: 0,
    created_by: event.actor.id,
    created_at: at,
    updated_at: at,
    acknowledged_at: null,
    mitigated_at: null,
    resolved_at: null,
    closed_at: null,
    version: event.version,
    allowed_actions: [],
  };
}

/** The incident after one more event, as `src/domain/incident/evolve.rs` has it, for what the panel shows. */
export function evolve(before: Incident, event: IncidentEvent): Incident {
  const at = later(before.updated_at, event.occurred_at);
  const incident = { ...before, updated_at: at, version: event.version };
  switch (event.type) {
    case 'incident.updated':
      for (const [field, change] of Object.entries(event.data.changes)) {
        if (change) Object.assign(incident, { [field]: change.new });
      }
      return incident;
    case 'incident.assigned':
      return { ...incident, assignee: event.data.new ?? null };
    case 'incident.commented':
      return { ...incident, comments: incident.comments + 1 };
    case 'incident.status.changed':
      return moved(incident, event.data, at);
    case 'incident.merged':
      return { ...incident, merged_into: event.data.into.id };
    case 'incident.unmerged':
      return { ...incident, merged_into: null };
    case 'incident.absorbed':
      return { ...incident, absorbed: [...incident.absorbed, event.data.incident.id] };
    case 'incident.released':
      return { ...incident, absorbed: incident.absorbed.filter((id) => id !== event.data.incident.id) };
    default:
      return incident;
  }
}

function moved(incident: Incident, move: EventOf<'incident.status.changed'>['data'], at: string): Incident {
  const { old, new: status, cause, resolution } = move;
  const open = isOpen(status);
  const since = (time: string | null | undefined, begins: boolean, ends: boolean) =>
    begins ? (time ?? at) : ends ? null : (time ?? null);
  return {
    ...incident,
    status,
    reopened: incident.reopened + (!isOpen(old) && open && cause !== 'unmerge' ? 1 : 0),
    resolution: open ? null : (resolution ?? incident.resolution ?? null),
    acknowledged_at: since(incident.acknowledged_at, open && status !== 'triggered', open),
    mitigated_at: since(incident.mitigated_at, status === 'mitigated', open),
    resolved_at: since(incident.resolved_at, status === 'resolved', open),
    closed_at: since(incident.closed_at, status === 'closed', true),
  };
}

export function isOpen(status: Status): boolean {
  return OPEN.includes(status);
}

function later(a: string, b: string): string {
  return Date.parse(a) > Date.parse(b) ? a : b;
}

/**
 * What may be done, as the server said it before: it depends on the status and on being merged, and on nothing else.
 * So an event that changes the status needs no question, unless it is a status never seen yet.
 */
export function createOffers() {
  const heard = new Map<string, Action[]>();
  const placeOf = ({ status, merged_into }: Incident) => `${status} ${merged_into ? 'merged' : ''}`;
  return {
    /** Remembers what the server offers. */
    learn(incident: Incident) {
      heard.set(placeOf(incident), incident.allowed_actions);
    },
    /** The incident with what the server would offer; undefined where that is not known. */
    on(incident: Incident): Incident | undefined {
      const allowed_actions = heard.get(placeOf(incident));
      return allowed_actions && { ...incident, allowed_actions };
    },
  };
}
