import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { Ago, duration } from '../../widgets/time.tsx';
import { PriorityMark } from '../incidents/chips.tsx';
import type { Incident } from '../incidents/incident.ts';
import { incidentQuery } from '../incidents/live.ts';

/** What is known of an incident, beside its story. */
export function Facts({ incident }: { incident: Incident }) {
  const { assignee, resolution, dedup_key, merged_into, absorbed } = incident;
  return (
    <aside className="facts" aria-label="Facts">
      <dl>
        <Fact name="Assignee">{assignee ?? <span className="soft">nobody</span>}</Fact>
        <Fact name="Priority">
          <PriorityMark priority={incident.priority} words />
        </Fact>
        <Fact name="Reported">
          <Ago at={incident.created_at} suffix=" ago" />
        </Fact>
        <Fact name="Last change">
          <Ago at={incident.updated_at} suffix=" ago" />
        </Fact>
        {incident.acknowledged_at && <Since name="Acknowledged" incident={incident} at={incident.acknowledged_at} />}
        {incident.resolved_at && <Since name="Resolved" incident={incident} at={incident.resolved_at} />}
        {resolution && <Fact name="Resolution">{resolution}</Fact>}
        {incident.affected_servers.length > 0 && (
          <Fact name="Servers">
            {incident.affected_servers.map((server) => (
              <Link key={server} to="/incidents" search={{ server } as never} title="Open incidents of this server">
                {server}
              </Link>
            ))}
          </Fact>
        )}
        {merged_into && (
          <Fact name="Merged into">
            <Other id={merged_into} />
          </Fact>
        )}
        {absorbed.length > 0 && (
          <Fact name="Duplicates">
            {absorbed.map((id) => (
              <Other key={id} id={id} />
            ))}
          </Fact>
        )}
        {incident.reopened > 0 && <Fact name="Reopened">{incident.reopened} times</Fact>}
        {dedup_key && <Fact name="Dedup key">{dedup_key}</Fact>}
        {Object.entries(incident.labels).map(([name, value]) => (
          <Fact key={name} name={name}>
            {String(value)}
          </Fact>
        ))}
        <Fact name="Version">{incident.version}</Fact>
      </dl>
    </aside>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Since({ name, incident, at }: { name: string; incident: Incident; at: string }) {
  return (
    <Fact name={name}>
      <span>
        after {duration((Date.parse(at) - Date.parse(incident.created_at)) / 1000)}, <Ago at={at} suffix=" ago" />
      </span>
    </Fact>
  );
}

function Other({ id }: { id: string }) {
  const { data } = useQuery(incidentQuery(id, useQueryClient()));
  return data ? (
    <Link to={`/incidents/${data.key}`} title={data.title}>
      {data.key} {data.title}
    </Link>
  ) : (
    <span className="soft">…</span>
  );
}
