-- Servers as they stand now, what is measured of them, and events that do not keep what they said.

create table servers (
  id          uuid        primary key,
  name        text        not null,
  host        text        not null,
  description text        not null,
  status      text        not null,
  labels      jsonb       not null,
  deleted     boolean     not null,
  version     bigint      not null,
  state       json        not null
);
-- Two servers that exist at once have two names, however they are written.
create unique index servers_name on servers (lower(name)) where not deleted;
create index servers_order on servers (name, id);
create index servers_labels on servers using gin (labels);

-- Since when a server had which status: what uptime is made of.
create table server_statuses (
  server_id uuid        not null,
  version   bigint      not null, -- of the server, after the event that said so
  status    text        not null,
  since     timestamptz not null,
  primary key (server_id, version)
);

-- References to credentials. Nobody who serves may read them.
create table server_credentials (
  server_id uuid primary key,
  reference text not null
);

-- The filters that each user keeps for the list.
create table server_filters (
  user_id uuid   primary key,
  version bigint not null,
  state   json   not null
);

-- When each server is looked at next, and how often it has not answered: how processes share the work. Not derived
-- from the log; a row that is missing is made with the server's next event.
create table server_checks (
  server_id   uuid        primary key,
  version     bigint      not null, -- of the server
  next_at     timestamptz not null, -- 'infinity': nothing to do
  taken_until timestamptz not null default '-infinity', -- until then a process is at it
  failures    int         not null default 0
) with (fillfactor = 50);
create index server_checks_next on server_checks (next_at);

-- What each test measured, for a day. In µs; null when it did not come so far.
create table server_probes (
  server_id    uuid        not null,
  at           timestamptz not null,
  answered     boolean     not null,
  connect_us   int,
  handshake_us int,
  primary key (server_id, at)
);
create index server_probes_at on server_probes using brin (at);

-- How busy each server said it was, five minutes at a time, for 30 days: what stays of the reports.
create table server_utilization (
  server_id   uuid        not null,
  bucket      timestamptz not null, -- its beginning
  samples     int         not null,
  cpu_sum     float8      not null,
  cpu_max     float8      not null,
  memory_sum  float8      not null,
  memory_max  float8      not null,
  disk_sum    float8      not null,
  disk_max    float8      not null,
  load_sum    float8      not null,
  load_max    float8      not null,
  primary key (server_id, bucket)
) with (fillfactor = 70);
create index server_utilization_bucket on server_utilization using brin (bucket);

-- Types whose events lose their data after a time (openapi/proofs.md). Only a migration writes the types.
create table short_lived (
  type      text   primary key,
  ttl_s     int    not null check (ttl_s > 0),
  swept_seq bigint not null -- up to here every event of the type has lost its data
);
insert into short_lived select 'server.metrics.reported', 3600, seq from log_head;

-- The one change that the log allows: data that had their time give way to their hash. Row by row, because only a
-- row can tell; whoever deletes or truncates is refused as before.
create function only_expiry() returns trigger language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
  kept events := new;
begin
  kept.data := old.data;
  if kept::text is distinct from old::text -- anything beside data
    or new.data::text is distinct from
       '{"data_hash":"' || encode(sha256(convert_to(old.data::text, 'UTF8')), 'hex') || '","expired":true}'
    or old.data ->> 'data_hash' is not null -- has given way before
    or not exists (select from short_lived s
                    where s.type = old.type and old.recorded_at + make_interval(secs => s.ttl_s) <= clock_timestamp())
  then
    raise exception 'events are append-only: % refused', tg_op using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
drop trigger events_append_only on events;
create trigger events_append_only before delete or truncate on events
  for each statement execute function refuse_change();
create trigger events_only_expire before update on events
  for each row execute function only_expiry();
