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
-- Every index is written with every change, because updated_at changes each time. So: the order that lists
-- have by default, and what a filter cannot find otherwise. Other orders sort, 20 ms for 100,000 incidents.
create index incidents_updated on incidents (updated_at, id);
create index incidents_servers on incidents using gin (affected_servers);
create index incidents_labels on incidents using gin (labels);
-- Two alerts with the same key are one incident for as long as it is open.
create unique index incidents_open_dedup_key on incidents (dedup_key)
  where dedup_key is not null and status not in ('resolved', 'closed', 'cancelled');
