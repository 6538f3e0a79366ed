import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { memo } from 'react';

import { useGlow } from '../../widgets/glow.ts';
import { Ago } from '../../widgets/time.tsx';
import { PriorityMark, SeverityChip, StatusChip } from './chips.tsx';
import { type Filter, isListed } from './filter.ts';
import { incidentQuery } from './live.ts';

interface RowProps {
  id: string;
  index: number;
  start_px: number;
  filter: Filter;
  chosen: boolean;
  fresh: boolean;
  onChoose: (id: string, chosen: boolean) => void;
}

/** One incident of a list. Changes where it is, with a brief glow; dimmed when it is not of the list any more. */
export const Row = memo(function Row({ id, index, start_px, filter, chosen, fresh, onChoose }: RowProps) {
  const { data: incident } = useQuery(incidentQuery(id, useQueryClient()));
  const row = useGlow<HTMLDivElement>(incident?.version, fresh);
  const style = { transform: `translateY(${start_px}px)` };
  if (!incident) return <div className="row" style={style} role="row" aria-rowindex={index + 2} />;
  return (
    <div
      ref={row}
      className="row"
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      data-key={incident.key}
      data-left={isListed(incident, filter) ? undefined : ''}
      data-chosen={chosen || undefined}
      style={style}
    >
      <span role="cell" className="cell-choose">
        <input
          type="checkbox"
          aria-label={`Choose ${incident.key}`}
          checked={chosen}
          onChange={(event) => onChoose(id, event.target.checked)}
        />
      </span>
      <span role="cell" className="cell-severity">
        <SeverityChip severity={incident.severity} />
      </span>
      <span role="cell" className="cell-key">
        {incident.key}
      </span>
      <span role="cell" className="cell-title">
        <Link to={`/incidents/${incident.key}`} className="row-link" title={incident.title}>
          {incident.title}
        </Link>
      </span>
      <span role="cell" className="cell-servers" title={incident.affected_servers.join(', ')}>
        {incident.affected_servers[0]}
        {incident.affected_servers.length > 1 && ` +${incident.affected_servers.length - 1}`}
      </span>
      <span role="cell" className="cell-priority">
        <PriorityMark priority={incident.priority} />
      </span>
      <span role="cell" className="cell-status">
        <StatusChip status={incident.status} />
      </span>
      <span role="cell" className="cell-assignee">
        {incident.assignee ?? <span className="soft">nobody</span>}
      </span>
      <span role="cell" className="cell-time">
        <Ago at={incident.created_at} />
      </span>
    </div>
  );
});
