-- The usual design: an events table numbered by a sequence, and a notification per row.
-- The current state is the server's own table of incidents (migrations/V3__incidents.sql), which is
-- created beside these, so that both designs keep the same rows and the same indexes.

create table events (
  seq            bigserial   primary key,
  id             uuid        not null,
  stream         text        not null,
  version        bigint      not null,
  type           text        not null,
  data           json        not null,
  actor          text        not null,
  actor_name     text        not null,
  permissions    text[]      not null,
  correlation_id uuid        not null,
  occurred_at    timestamptz not null,
  recorded_at    timestamptz not null default now(),
  unique (stream, version)
);

create table idempotency (
  principal  text        not null,
  key        text        not null,
  body_hash  bytea       not null,
  reply      json        not null,
  created_at timestamptz not null default now(),
  primary key (principal, key)
);

create function notify_event() returns trigger language plpgsql as $$
begin
  perform pg_notify('events', new.seq::text);
  return null;
end $$;
create trigger events_notify after insert on events for each row execute function notify_event();
