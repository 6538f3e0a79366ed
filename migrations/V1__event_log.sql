-- The event log: one table that is only ever appended to, and the row that orders it.

-- One row. Its lock is what makes `seq` gapless and commit-ordered: whoever holds it appends,
-- everybody else waits, and the number becomes visible together with the rows it counts.
create table log_head (
  one         boolean     primary key default true check (one),
  epoch       uuid        not null default gen_random_uuid(), -- the name of this history; new after a restore
  seq         bigint      not null default 0,
  recorded_at timestamptz not null default '-infinity'
) with (fillfactor = 10); -- room on the page, so that every update stays a heap-only tuple
insert into log_head default values;

create table events (
  seq            bigint      primary key,
  id             uuid        not null,
  stream         text        not null,
  version        bigint      not null,
  type           text        not null,
  data           json        not null, -- json, not jsonb: it keeps the bytes that were hashed
  actor          text        not null,
  actor_name     text        not null,
  permissions    text[]      not null, -- any one of them lets a reader see the event; none: everybody may
  session_id     text,
  correlation_id uuid        not null,
  causation_id   uuid,
  trace_id       text,
  occurred_at    timestamptz not null,
  recorded_at    timestamptz not null,
  leaf_hash      bytea       not null, -- openapi/proofs.md
  unique (stream, version)
);

-- The last version of every stream. Apart from `events` so that the check is one small index look-up.
create table streams (
  stream  text   primary key,
  version bigint not null
) with (fillfactor = 70);

-- What a command with this key was answered, kept for 24 hours.
create table idempotency (
  id         uuid        primary key, -- the first 16 bytes of SHA-256 over principal and key: a narrow index
  body_hash  bytea       not null,    -- SHA-256 of method, path and body
  reply      json        not null,
  seq        bigint      not null,    -- the command's last event
  created_at timestamptz not null
);
create index idempotency_created_at on idempotency using brin (created_at);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'events are append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger events_append_only before update or delete or truncate on events
  for each statement execute function refuse_change();

-- A bell, no more: the payload is empty because the table is the truth.
create function notify_events() returns trigger language plpgsql as $$
begin
  perform pg_notify('events', '');
  return null;
end $$;
create trigger events_notify after insert on events
  for each statement execute function notify_events();
