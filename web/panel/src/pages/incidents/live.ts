import { cursorOf } from '@signalbox/client';
import { accepted, rule } from '@signalbox/client/react';
import { type QueryClient, queryOptions } from '@tanstack/react-query';

import { api, isFinal } from '../../api.ts';
import { createOffers, evolve, idOf, type Incident, type IncidentEvent } from './incident.ts';

/**
 * Events kept for answers that are under way: one that was asked for before an event and arrives after it is brought
 * up to date by it. A thousand are more than come within the time that a request may take.
 */
const RECENT_EVENTS = 1000;

const offers = createOffers();
const recent: IncidentEvent[] = [];

/** Where an incident lies in the cache; lists hold ids only, so that there is one truth about each. */
export const incidentKey = (id: string) => ['incident', id] as const;

/** One incident, by id. Events keep it current, so it is never loaded twice. */
export function incidentQuery(id: string, queries: QueryClient) {
  return queryOptions({
    queryKey: incidentKey(id),
    staleTime: Infinity,
    queryFn: async ({ signal }) => {
      const answer = await api.GET('/api/v1/incidents/{incident}', { params: { path: { incident: id } }, signal });
      return newest(queries, accepted(answer), answer.response);
    },
    retry: (count, error) => !isFinal(error) && count < 3,
  });
}

/** Puts incidents of an answer into the cache, unless what is there is newer. */
export function keep(queries: QueryClient, incidents: Incident[], response: Response): void {
  for (const incident of incidents) {
    queries.setQueryData<Incident>(incidentKey(incident.id), newest(queries, incident, response));
  }
}

/** What is known of an incident when an answer arrives: the answer, what happened since, or what is cached. */
export function newest(queries: QueryClient, answered: Incident, response: Response): Incident {
  offers.learn(answered);
  const asOf = cursorOf(response).after ?? 0;
  let incident = answered;
  for (const event of recent) {
    if (event.seq > asOf && idOf(event) === incident.id && event.version === incident.version + 1) {
      incident = after(incident, event) ?? incident;
    }
  }
  const cached = queries.getQueryData<Incident>(incidentKey(incident.id));
  return cached && cached.version > incident.version ? cached : incident;
}

/** An incident after an event; undefined where only the server knows. */
export function after(incident: Incident, event: IncidentEvent): Incident | undefined {
  return event.version === incident.version + 1 ? offers.on(evolve(incident, event)) : undefined;
}

/** With what the server offers, as far as it is known. */
export function offered(incident: Incident): Incident {
  return offers.on(incident) ?? incident;
}

/** Each event changes the one incident that it is about, where it is cached. */
export const incidentRules = [
  rule('incident.*', {
    patch: (queries, event) => {
      recent.push(event);
      if (recent.length > RECENT_EVENTS) recent.shift();
      const key = incidentKey(idOf(event));
      const before = queries.getQueryData<Incident>(key);
      if (!before || before.version >= event.version) return;
      const incident = after(before, event);
      if (incident) queries.setQueryData(key, incident);
      else void queries.invalidateQueries({ queryKey: key });
    },
  }),
];
