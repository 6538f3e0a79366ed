-- Incidents as they stand now, derived from the log in the transaction of each append.

create sequence incident_number;

create table incidents (
  id               uuid        primary key,
  number           bigint      not null unique,
  title            text        not null,
  status           text        not null,
  severity         text        not null,
  priority         text        not null,
  urgency          smallint    not null, -- of the priority, so that urgent sorts before low
  assignee         text,
  dedup_key        text,
  affected_servers text[]      not null,
  labels           jsonb       not null,
  created_at       timestamptz not null,
  updated_at       timestamptz not null,
  version          bigint      not null,
  state            json        not null
);
create index incidents_updated on incidents (updated_at, id);
create index incidents_created on incidents (created_at, id);
create index incidents_severity on incidents (severity, id);
create index incidents_priority on incidents (urgency, id);
create index incidents_status on incidents (status, updated_at);
create index incidents_assignee on incidents (assignee) where assignee is not null;
create index incidents_servers on incidents using gin (affected_servers);
create index incidents_labels on incidents using gin (labels);
-- Two alerts with the same key are one incident for as long as it is open.
create unique index incidents_open_dedup_key on incidents (dedup_key)
  where dedup_key is not null and status not in ('resolved', 'closed', 'cancelled');
