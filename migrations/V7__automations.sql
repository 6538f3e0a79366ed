-- Runbooks and their executions as they stand now, derived from the log in the transaction of each append; and,
-- beside what the log tells, who runs which and the secrets it needs. What they print are log lines (V8).

create table runbooks (
  id             uuid        primary key,
  name           text        not null,
  archived       boolean     not null,
  scheduled      boolean     not null, -- has a schedule and is not archived
  triggered      boolean     not null, -- has a rule for events and is not archived
  scheduled_from timestamptz not null,
  created_at     timestamptz not null,
  updated_at     timestamptz not null,
  version        bigint      not null,
  state          json        not null -- the whole state as the rules see it
);
create index runbooks_updated on runbooks (updated_at, id);
-- A name means one thing at a time.
create unique index runbooks_name on runbooks (lower(name)) where not archived;

create table executions (
  id             uuid        primary key,
  runbook_id     uuid        not null,
  status         text        not null,
  trigger        text        not null, -- manual, schedule or event
  scheduled_for  timestamptz,          -- of a schedule: which of its times
  depth          int         not null,
  correlation_id uuid        not null,
  queued_at      timestamptz not null,
  updated_at     timestamptz not null,
  version        bigint      not null,
  state          json        not null
);
create index executions_queued on executions (queued_at, id);
create index executions_runbook on executions (runbook_id, queued_at, id);
create index executions_correlation on executions (correlation_id);
create index executions_scheduled on executions (runbook_id, scheduled_for) where scheduled_for is not null;

-- One row per execution that has not ended. Who holds it is told here and nowhere else: after a crash of
-- PostgreSQL a lease is as old as it was, so nobody runs twice.
create table execution_leases (
  execution_id   uuid        primary key,
  runbook_id     uuid        not null,
  status         text        not null,
  max_concurrent int         not null,
  due_at         timestamptz not null, -- nothing to do before that
  holder         uuid,                 -- process
  token          bigint      not null default 0, -- only ever larger: whoever has an older one is refused
  expires_at     timestamptz not null default '-infinity'
) with (fillfactor = 50); -- renewed every few seconds in place
create sequence execution_token;

-- Deleted when the execution ends.
create table execution_secrets (
  execution_id uuid not null,
  name         text not null,
  value        text not null,
  primary key (execution_id, name)
);
