import { accepted } from '@signalbox/client/react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useEffect } from 'react';

import { api, isFinal } from '../../api.ts';
import { useTitle } from '../../shell/title.ts';
import { useGlow } from '../../widgets/glow.ts';
import { Icon } from '../../widgets/icon.tsx';
import { useNarrow } from '../../widgets/narrow.ts';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { SeverityChip, StatusChip } from '../incidents/chips.tsx';
import type { Incident } from '../incidents/incident.ts';
import { incidentQuery, keep } from '../incidents/live.ts';
import { Actions } from './actions.tsx';
import { Facts } from './facts.tsx';
import { Timeline } from './timeline.tsx';

/** One incident: what it is, what can be done, and all that happened. */
export default function IncidentPage() {
  const { incident: key } = useParams({ strict: false }) as { incident: string };
  const queries = useQueryClient();
  // The address has the number; everything else goes by the id.
  const found = useQuery({
    queryKey: ['incident id', key],
    queryFn: async ({ signal }) => {
      const answer = await api.GET('/api/v1/incidents/{incident}', { params: { path: { incident: key } }, signal });
      const incident = accepted(answer);
      keep(queries, [incident], answer.response);
      return incident.id;
    },
  });
  useTitle(key);
  if (found.isError) {
    return isFinal(found.error) ? (
      <Empty title={`There is no ${key}`}>
        <Link to="/incidents">All incidents</Link>
      </Empty>
    ) : (
      <Failed error={found.error} again={() => void found.refetch()} />
    );
  }
  if (found.isPending) return <Loading />;
  return <Shown key={found.data} id={found.data} />;
}

function Shown({ id }: { id: string }) {
  const { data: incident } = useQuery(incidentQuery(id, useQueryClient()));
  const isNarrow = useNarrow();
  useTitle(incident ? `${incident.key} ${incident.title}` : '');
  if (!incident) return <Loading />;
  return (
    <article className="incident">
      <nav className="crumbs" aria-label="Where you are">
        <Link to="/incidents">
          <Icon name="back" /> Incidents
        </Link>
      </nav>
      <Head incident={incident} />
      <Actions incident={incident} />
      <div className="incident-columns">
        <div>
          {incident.description && <p className="incident-text">{incident.description}</p>}
          <Timeline incident={incident} />
        </div>
        {isNarrow ? (
          <details className="facts-fold">
            <summary>Facts: {incident.assignee ?? 'nobody'} works on it</summary>
            <Facts incident={incident} />
          </details>
        ) : (
          <Facts incident={incident} />
        )}
      </div>
    </article>
  );
}

function Head({ incident }: { incident: Incident }) {
  const head = useGlow<HTMLElement>(incident.status);
  useEffect(() => scrollTo(0, 0), []);
  return (
    <header ref={head} className="incident-head">
      <div className="incident-marks">
        <SeverityChip severity={incident.severity} />
        <span className="soft">{incident.key}</span>
        <StatusChip status={incident.status} />
      </div>
      <h1>{incident.title}</h1>
    </header>
  );
}
