import type { Schemas } from '../../api.ts';
import { oneOf, several, text } from '../../shell/search.ts';
import {
  type Incident,
  OPEN,
  PRIORITIES,
  type Priority,
  SEVERITIES,
  type Severity,
  STATUSES,
  type Status,
} from './incident.ts';

export type Order = Schemas['Order'];

export const ORDERS: readonly { order: Order; words: string }[] = [
  { order: '-number', words: 'Newest first' },
  { order: '-updated_at', words: 'Last changed first' },
  { order: 'severity', words: 'Worst first' },
  { order: '-priority', words: 'Most urgent first' },
  { order: 'created_at', words: 'Oldest first' },
];

/** What the address says to list. An absent field does not filter. */
export interface Filter {
  status?: Status[];
  severity?: Severity[];
  priority?: Priority[];
  /** A user name; empty: nobody. */
  assignee?: string;
  server?: string;
  q?: string;
  created_from?: string;
  created_before?: string;
  order?: Order;
}

/** Reads the address. What it does not know, it leaves out. */
export function readFilter(search: Record<string, unknown>): Filter {
  const all: Filter = {
    ...several('status', search, STATUSES),
    ...several('severity', search, SEVERITIES),
    ...several('priority', search, PRIORITIES),
    ...text('assignee', search, { empty: true }),
    ...text('server', search),
    ...text('q', search),
    ...text('created_from', search),
    ...text('created_before', search),
    ...oneOf(
      'order',
      search,
      ORDERS.map(({ order }) => order),
    ),
  };
  return all;
}

/** What an address without a status means: all that is still somebody's work. */
export function statusesOf(filter: Filter): readonly Status[] {
  return filter.status ?? OPEN;
}

/** Whether an incident is of the list; the same rule as the server's. */
export function isListed(incident: Incident, filter: Filter): boolean {
  const { severity, priority, assignee, server, q, created_from, created_before } = filter;
  const at = Date.parse(incident.created_at);
  return (
    statusesOf(filter).includes(incident.status) &&
    (severity?.includes(incident.severity) ?? true) &&
    (priority?.includes(incident.priority) ?? true) &&
    (assignee === undefined || (incident.assignee ?? '') === assignee) &&
    (server === undefined || incident.affected_servers.includes(server)) &&
    (q === undefined || incident.title.toLowerCase().includes(q.toLowerCase())) &&
    (created_from === undefined || at >= Date.parse(created_from)) &&
    (created_before === undefined || at < Date.parse(created_before))
  );
}

/** Which of two incidents comes first in a list. */
export function compare(a: Incident, b: Incident, order: Order): number {
  const sign = order.startsWith('-') ? -1 : 1;
  switch (order.replace('-', '')) {
    case 'updated_at':
      return sign * (Date.parse(a.updated_at) - Date.parse(b.updated_at));
    case 'created_at':
      return sign * (Date.parse(a.created_at) - Date.parse(b.created_at));
    case 'severity':
      return sign * a.severity.localeCompare(b.severity);
    case 'priority':
      return sign * (PRIORITIES.indexOf(b.priority) - PRIORITIES.indexOf(a.priority));
    default:
      return sign * (a.number - b.number);
  }
}
